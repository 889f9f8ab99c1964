/** Two builds' rounds as rows of a table. */
import type { Measures } from '../measures.ts';
import type { Variant } from '../node.ts';
import { median } from '../statistics.ts';
import type { BuildsComparison, Rounds } from './compareBuilds.ts';

export const workloads = ['cold', 'restart', 'change', 'memory', 'connect'] as const;
export type Workload = (typeof workloads)[number];

export interface Row {
  readonly variant: Variant;
  readonly workload: Workload;
  /** The name of the measure, for programs. */
  readonly measure: keyof Measures;
  readonly what: string;
  readonly unit: 'ms' | 'MiB' | 'µs';
  /** Medians. */
  readonly workTree: number;
  readonly revision: number;
  /** Of the rounds' ratios, work tree / revision; undefined where nothing can be divided. */
  readonly ratio: Spread | undefined;
  /** That have a ratio. */
  readonly rounds: number;
  readonly samples: { readonly workTree: readonly number[]; readonly revision: readonly number[] };
}

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

type Metric = Pick<Row, 'workload' | 'measure' | 'what' | 'unit'>;

const metrics: readonly Metric[] = [
  { workload: 'cold', measure: 'cold', what: 'cold start to all rules present', unit: 'ms' },
  { workload: 'cold', measure: 'coldCpu', what: 'cold start, CPU of the agent', unit: 'ms' },
  { workload: 'cold', measure: 'coldCpuTools', what: 'cold start, CPU of its tools', unit: 'ms' },
  { workload: 'restart', measure: 'restart', what: 'restart on a live table', unit: 'ms' },
  { workload: 'restart', measure: 'restartCpu', what: 'restart, CPU of the agent', unit: 'ms' },
  { workload: 'restart', measure: 'restartCpuTools', what: 'restart, CPU of its tools', unit: 'ms' },
  { workload: 'change', measure: 'change', what: 'one endpoint changed, until a connection reaches it', unit: 'ms' },
  { workload: 'change', measure: 'changeCpu', what: 'CPU of the agent, per change', unit: 'ms' },
  { workload: 'change', measure: 'changeCpuTools', what: 'CPU of its tools, per change', unit: 'ms' },
  { workload: 'memory', measure: 'rss', what: 'memory in steady state, with tools', unit: 'MiB' },
  { workload: 'memory', measure: 'rssAlone', what: 'memory in steady state, agent alone', unit: 'MiB' },
  { workload: 'memory', measure: 'rssPeak', what: 'memory at its peak, with tools', unit: 'MiB' },
  { workload: 'memory', measure: 'rssPeakAlone', what: 'memory at its peak, agent alone', unit: 'MiB' },
  { workload: 'connect', measure: 'hit', what: 'a connection to all Services by turns', unit: 'µs' },
  { workload: 'connect', measure: 'one', what: 'a connection to one Service again and again', unit: 'µs' },
  { workload: 'connect', measure: 'miss', what: 'a connection past all Services', unit: 'µs' },
];

export function rowsOf({ measured }: BuildsComparison, chosen: readonly Workload[]): readonly Row[] {
  const asked = metrics.filter(({ workload }) => chosen.includes(workload));
  return measured.flatMap(({ variant, rounds }) => asked.map((metric) => rowOf(metric, variant, rounds)));
}

function rowOf(metric: Metric, variant: Variant, rounds: Rounds): Row {
  const workTree = rounds.workTree.map((measures) => measures[metric.measure]);
  const revision = rounds.revision.map((measures) => measures[metric.measure]);
  const ratios = ratiosOf(workTree, revision);
  return {
    ...metric,
    variant,
    workTree: median(workTree),
    revision: median(revision),
    ratio: spreadOf(ratios),
    rounds: ratios.length,
    samples: { workTree, revision },
  };
}

/** Of each round, whose two were measured one after the other, so that a slow minute of the machine is in both. */
export function ratiosOf(numerators: readonly number[], denominators: readonly number[]): readonly number[] {
  return numerators
    .map((value, round) => value / (denominators[round] ?? Number.NaN))
    .filter((ratio) => Number.isFinite(ratio));
}

/** undefined of nothing. */
export function spreadOf(ratios: readonly number[]): Spread | undefined {
  if (ratios.length === 0) return undefined;
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}
