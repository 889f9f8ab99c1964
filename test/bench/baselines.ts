/**
 * kube-proxy in nftables mode, and beside it what it stands on, each alone: the API server, and the kernel with its
 * tool. So one sees what of kube-proxy's time is its own. A mode of ours is entered in `sides`.
 */
import { measureTool, type ToolMeasures } from './bareTool.ts';
import { measureWatcher, type WatcherMeasures } from './bareWatcher.ts';
import { measureSides } from './compare.ts';
import type { Ground, SideName } from './ground.ts';
import { inWords, type Measures, medians, type Part } from './measures.ts';
import { nftables } from './nftables.ts';
import type { RunDetails } from './results.ts';

/** Who is measured by turns. */
const sides: readonly SideName[] = ['kube-proxy'];
const parts: readonly Part[] = ['change', 'restart'];

export interface Cell {
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
}

/** Medians, of as much as was measured. */
export interface BaselineSection extends Cell {
  readonly repetitions: number;
  /** How long a start may take; what took longer is Infinity. */
  readonly limitMinutes: number;
  readonly watcher?: WatcherMeasures;
  readonly sides?: { readonly [side in SideName]?: Measures };
  readonly tool?: ToolMeasures;
  readonly run: RunDetails;
}

export interface BaselineSettings {
  readonly services: readonly number[];
  readonly endpoints: readonly number[];
  /** Without it, what can be awaited. */
  readonly repetitions: number | undefined;
  /** Of an endpoint, each there and back, in each repetition. */
  readonly changes: number;
  readonly limitMinutes: number;
  /** As often as something was measured, so that an interrupted run is not for nothing. */
  readonly onSection: (section: Omit<BaselineSection, 'run'>) => Promise<void>;
}

export async function measureBaselines(ground: Ground, settings: BaselineSettings): Promise<void> {
  for (const cell of sizesOf(settings)) {
    await ground.giveEndpoints(cell.endpoints);
    await ground.populate(cell.services);
    await measureCell(ground, cell, settings);
  }
}

/** The endpoints go up and down by turns, so that as few Services as may be are changed between two cells. */
export function sizesOf({ services, endpoints }: Pick<BaselineSettings, 'services' | 'endpoints'>): readonly Cell[] {
  return services.flatMap((size, index) =>
    (index % 2 === 0 ? endpoints : endpoints.toReversed()).map((each) => ({ services: size, endpoints: each })),
  );
}

async function measureCell(ground: Ground, cell: Cell, settings: BaselineSettings): Promise<void> {
  const { changes, limitMinutes, onSection } = settings;
  const repetitions = settings.repetitions ?? usualRepetitions(cell.services);
  const where = `${cell.services} Services of ${cell.endpoints}`;
  let section: Omit<BaselineSection, 'run'> = { ...cell, repetitions, limitMinutes };
  const add = async (measured: Partial<BaselineSection>): Promise<void> => {
    section = { ...section, ...measured };
    await onSection(section);
  };
  const asked = { services: cell.services, changes };

  const watcher = await repeated(repetitions, () => measureWatcher(ground, asked));
  ground.progress(`${where}, the API server alone: ${inWords(watcher)}`);
  await add({ watcher });

  let rules: string | undefined;
  const onRules = async (listed: string): Promise<void> => {
    rules ??= listed;
  };
  const limitMs = limitMinutes * 60_000;
  const how = { ...asked, repetitions, parts, limitMs, onRules };
  await add({ sides: await measureSides(sides, nftables, ground, how) });

  if (rules === undefined) return;
  const written = rules;
  const tool = await repeated(repetitions, () => measureTool(ground, written, { ...asked, limitMs }));
  ground.progress(`${where}, nft alone: ${inWords(tool)}`);
  await add({ tool });
}

function usualRepetitions(services: number): number {
  return services <= 1000 ? 3 : services <= 10_000 ? 2 : 1;
}

async function repeated<Measured extends Partial<Measures>>(
  times: number,
  measure: () => Promise<Measured>,
): Promise<Measured> {
  const measured: Measured[] = [];
  for (let repetition = 0; repetition < times; repetition += 1) measured.push(await measure());
  return medians(measured);
}
