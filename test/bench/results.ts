/** What was measured, as rows with targets. */
import type { Comparison, Measures, ProxyContest } from './compare.ts';

export interface Section {
  readonly contest: ProxyContest;
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
  readonly repetitions: number;
  readonly comparison: Comparison;
}

export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly theirs: number;
  /** The most that ours may be of theirs; undefined where nothing was promised. */
  readonly target: number | undefined;
  readonly verdict: 'met' | 'missed' | undefined;
}

type Target = number | { readonly [variant in ProxyContest['variant']]: number | undefined } | undefined;

interface Metric {
  readonly what: string;
  readonly unit: string;
  readonly of: (measures: Measures) => number;
  readonly target: Target;
}

const metrics: readonly Metric[] = [
  { what: 'cold start to all rules present', unit: 's', of: ({ cold }) => cold / 1000, target: { nft: 1 / 20, legacy: 1 } },
  { what: 'restart on a live table', unit: 's', of: ({ restart }) => restart / 1000, target: { nft: 1 / 20, legacy: 1 } },
  { what: 'one endpoint changed, until a connection reaches it', unit: 'ms', of: ({ change }) => change, target: { nft: 1 / 8, legacy: 0.8 } },
  { what: 'CPU per change, with all tools', unit: 'ms', of: ({ cpuPerChange }) => cpuPerChange, target: { nft: 1 / 8, legacy: undefined } },
  { what: 'memory in steady state', unit: 'MiB', of: ({ rss }) => rss, target: 1 / 2 },
  { what: 'memory, peak of a full sync with its tools', unit: 'MiB', of: ({ rssPeak }) => rssPeak, target: undefined },
  { what: 'added to a connection to a Service', unit: 'µs', of: ({ hit, direct }) => hit - direct, target: 1 / 5 },
  { what: 'added to a connection past all Services', unit: 'µs', of: ({ miss, direct }) => miss - direct, target: 1 / 5 },
];

/** Targets are for big clusters; of smaller ones nobody is judged. */
export const targetsFrom = 10_000;

export function rowsOf({ contest, services, comparison }: Section): readonly Row[] {
  const rows = metrics.map(({ what, unit, of, target: targets }) => {
    const ours = of(comparison.ours);
    const theirs = of(comparison['kube-proxy']);
    const target = typeof targets === 'object' ? targets[contest.variant] : targets;
    return { what, unit, ours, theirs, target, verdict: services < targetsFrom || target === undefined ? undefined : ours <= theirs * target ? 'met' : 'missed' } as const;
  });
  // Nothing is said of what was not measured.
  return rows.filter(({ ours, theirs }) => Number.isFinite(ours) && Number.isFinite(theirs));
}

/** connect(2) to a Service among many against one alone: what the dispatch costs by itself. */
export function growth(sections: readonly Section[]): readonly string[] {
  return sections.flatMap(({ contest, services, comparison }) => {
    const alone = sections.find((other) => other.contest.name === contest.name && other.services === 1);
    const ratio = comparison.ours.hit / (alone?.comparison.ours.hit ?? Number.NaN);
    if (services < targetsFrom || Number.isNaN(ratio)) return [];
    const verdict = ratio <= 1.08 ? 'met' : 'missed';
    return [`${contest.name}: a connection to a Service takes ours ${ratio.toFixed(3)} times as long at ${services} Services as at 1 (target 1.08: ${verdict}).`];
  });
}

export function titleOf({ contest, services, endpoints }: Section): string {
  return `${contest.name}, ${services.toLocaleString('en')} Service${services === 1 ? '' : 's'} of ${endpoints} endpoints`;
}
