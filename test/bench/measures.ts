/** What is measured of a proxy on a node. */
import { median } from './statistics.ts';

/** What is measured of a proxy's life besides its start and its memory, which cost time of their own. */
export const allParts = ['connect', 'change', 'restart'] as const;
export type Part = (typeof allParts)[number];

/**
 * Milliseconds; MiB; microseconds. NaN where it was not measured, Infinity where it was not done in the time allowed. `…Cpu` is of the proxy itself, `…CpuTools` of the
 * programs that it runs.
 */
export interface Measures {
  /** From the start of the process until all rules are there; its CPU until it rests. */
  readonly cold: number;
  readonly coldCpu: number;
  readonly coldCpuTools: number;
  /** The same on a live table. */
  readonly restart: number;
  readonly restartCpu: number;
  readonly restartCpuTools: number;
  /**
   * From the request until a connection reaches the new endpoint. `cpuPerChange` is with all tools, and without what is
   * used when nothing changes; V8 collects garbage when it is idle, so that the two others are with that.
   */
  readonly change: number;
  readonly cpuPerChange: number;
  readonly changeCpu: number;
  readonly changeCpuTools: number;
  /** In steady state, with all tools and alone. */
  readonly rss: number;
  readonly rssAlone: number;
  /** The most at any time, with all tools and alone. */
  readonly rssPeak: number;
  readonly rssPeakAlone: number;
  /**
   * connect(2) on a node without a rule, to all Services by turns, to one of them again and again, and past all
   * Services.
   */
  readonly direct: number;
  readonly hit: number;
  readonly one: number;
  readonly miss: number;
}

/** Of each measure by itself. */
export function medians<Measured extends Partial<Measures>>(repetitions: readonly Measured[]): Measured {
  const names = Object.keys(repetitions[0] ?? {}) as (keyof Measures)[];
  return Object.fromEntries(
    names.map((name) => [name, median(repetitions.map((each) => each[name] ?? Number.NaN))]),
  ) as unknown as Measured;
}

/** What was measured, and nothing of the rest. */
export function inWords(measures: Partial<Measures>): string {
  return Object.entries(measures)
    .filter(([, value]) => !Number.isNaN(value))
    .map(([name, value]) => `${name} ${value.toFixed(value < 100 ? 1 : 0)}`)
    .join(', ');
}
