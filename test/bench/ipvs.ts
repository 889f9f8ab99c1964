/**
 * Mode ipvs beside the real kube-proxy in the same mode, in a kernel that has ip_vs: the one that the tests boot too
 * (test/uml). A size is a boot.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ground, SideName } from './ground.ts';
import { preparePrograms } from './ground.ts';
import { runInKernel } from '../uml/kernel.ts';
import { median } from './statistics.ts';

/** All in milliseconds. */
export interface IpvsMeasures {
  readonly cold: number;
  readonly cpuCold: number;
  readonly change: number;
  readonly cpuPerChange: number;
}

/** What is asked of the program inside. */
export interface IpvsTask extends Pick<Ground, 'product' | 'kubeProxy' | 'probe'> {
  readonly services: number;
  readonly repetitions: number;
  readonly changes: number;
}

export interface IpvsSection {
  readonly services: number;
  /** Of each side. */
  readonly repetitions: number;
  readonly comparison: { readonly [side in SideName]: IpvsMeasures };
}

export interface IpvsResult {
  readonly sections: readonly IpvsSection[];
  /** The release of the kernel inside. */
  readonly kernel: string;
  readonly kubeProxy: string;
  readonly changes: number;
}

export interface IpvsSettings {
  readonly sizes: readonly number[];
  /** Without it, what can be awaited. */
  readonly repetitions: number | undefined;
  readonly changes: number;
  readonly directory: string;
  readonly progress: (line: string) => void;
  /** After each size, so that an interrupted run is not for nothing. */
  readonly onResult: (result: IpvsResult) => Promise<void>;
}

/** Power-on to halt, with everything. */
const timeoutMs = 10_800_000;

export async function measureIpvs({
  sizes,
  changes,
  directory,
  progress,
  onResult,
  ...settings
}: IpvsSettings): Promise<IpvsResult> {
  const programs = await preparePrograms(directory, progress);
  const result = { sections: [] as IpvsSection[], kernel: '', kubeProxy: programs.kubeProxy, changes };
  for (const services of sizes) {
    const repetitions = settings.repetitions ?? (services < 10_000 ? 3 : 1);
    const measured: { readonly [side in SideName]: IpvsMeasures[] } = { ours: [], 'kube-proxy': [] };
    const onLine = (line: object): void => {
      const { side, measures } = line as { side: SideName; measures: IpvsMeasures };
      measured[side].push(measures);
      progress(`ipvs, ${services} Services, ${measured[side].length}/${repetitions}, ${side}: ${inWords(measures)}`);
    };
    const file = join(directory, 'ipvs.json');
    await writeFile(file, JSON.stringify({ ...programs, services, repetitions, changes } satisfies IpvsTask));
    result.kernel = await runInKernel({
      program: '../bench/ipvsInKernel.ts',
      args: [file],
      timeoutMs,
      memory: '3G',
      onLine,
    });
    result.sections.push({
      services,
      repetitions,
      comparison: { ours: medians(measured.ours), 'kube-proxy': medians(measured['kube-proxy']) },
    });
    await onResult(result);
  }
  return result;
}

function medians(all: readonly IpvsMeasures[]): IpvsMeasures {
  const of = (name: keyof IpvsMeasures): number => median(all.map((each) => each[name]));
  return { cold: of('cold'), cpuCold: of('cpuCold'), change: of('change'), cpuPerChange: of('cpuPerChange') };
}

function inWords(measures: IpvsMeasures): string {
  return Object.entries(measures)
    .map(([name, ms]: [string, number]) => `${name} ${Math.round(ms)} ms`)
    .join(', ');
}
