/**
 * One contest: the same Services, the same API server and the same kind of node, served by ours and by kube-proxy by
 * turns.
 */
import { type Ground, type SideName, writeNodeProxy } from './ground.ts';
import { inWords, type Measures, medians } from './measures.ts';
import type { ProxyContest } from './proxies.ts';
import { measure, type TrialSettings } from './trial.ts';

export interface CompareSettings extends TrialSettings {
  readonly repetitions: number;
}

export type Comparison = { readonly [side in SideName]: Measures };

export function compare(contest: ProxyContest, ground: Ground, settings: CompareSettings): Promise<Comparison> {
  return measureSides(['kube-proxy', 'ours'], contest, ground, settings);
}

/** The medians of all repetitions of each side. */
export async function measureSides<Side extends SideName>(
  sides: readonly Side[],
  contest: ProxyContest,
  ground: Ground,
  settings: CompareSettings,
): Promise<Record<Side, Measures>> {
  if (sides.some((side) => side === 'ours')) await writeNodeProxy(ground, contest.config);
  const measured = await byTurns(sides, settings.repetitions, async (side, repetition) => {
    const measures = await measure(side, contest, ground, settings);
    const where = `${contest.name}, ${settings.services} Services, ${repetition}/${settings.repetitions}`;
    ground.progress(`${where}, ${side}: ${inWords(measures)}`);
    return measures;
  });
  return ofEach(sides, (side) => medians(measured[side]));
}

/**
 * Measures all sides in each round, and gives what was measured of each, by rounds. Who begins changes from one round
 * to the next (A B B A …), so that neither side has the quieter half of the machine's time.
 */
export async function byTurns<Side extends string>(
  sides: readonly Side[],
  rounds: number,
  measureSide: (side: Side, round: number) => Promise<Measures>,
): Promise<Record<Side, readonly Measures[]>> {
  const measured = ofEach<Side, Measures[]>(sides, () => []);
  for (let round = 1; round <= rounds; round += 1) {
    for (const side of round % 2 === 1 ? sides : sides.toReversed())
      measured[side].push(await measureSide(side, round));
  }
  return measured;
}

function ofEach<Side extends string, T>(sides: readonly Side[], of: (side: Side) => T): Record<Side, T> {
  return Object.fromEntries(sides.map((side) => [side, of(side)])) as Record<Side, T>;
}
