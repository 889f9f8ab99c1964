/** What was measured, as rows with targets. */
import type { Comparison } from './compare.ts';
import type { Measures } from './measures.ts';
import type { ProxyContest } from './proxies.ts';

export interface Section {
  readonly contest: ProxyContest;
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
  readonly repetitions: number;
  readonly comparison: Comparison;
  /** Of the run that measured it. */
  readonly run: RunDetails;
}

export interface RunDetails {
  /** Endpoint changes in one repetition, each there and back. */
  readonly changes: number;
  /** CPUs, memory, kernel, versions of the programs. */
  readonly machine: string;
  /** Of 15 minutes, at the end. */
  readonly load: number;
  /** Until this was measured. */
  readonly minutes: number;
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
  {
    what: 'cold start to all rules present',
    unit: 's',
    of: ({ cold }) => cold / 1000,
    target: { nft: 1 / 20, legacy: 1 },
  },
  {
    what: 'restart on a live table',
    unit: 's',
    of: ({ restart }) => restart / 1000,
    target: { nft: 1 / 20, legacy: 1 },
  },
  {
    what: 'one endpoint changed, until a connection reaches it',
    unit: 'ms',
    of: ({ change }) => change,
    target: { nft: 1 / 8, legacy: 0.8 },
  },
  {
    what: 'CPU per change, with all tools',
    unit: 'ms',
    of: ({ cpuPerChange }) => cpuPerChange,
    target: { nft: 1 / 8, legacy: undefined },
  },
  { what: 'memory in steady state', unit: 'MiB', of: ({ rss }) => rss, target: 1 / 2 },
  { what: 'memory, peak of a full sync with its tools', unit: 'MiB', of: ({ rssPeak }) => rssPeak, target: undefined },
  { what: 'added to a connection to a Service', unit: 'µs', of: ({ hit, direct }) => hit - direct, target: 1 / 5 },
  {
    what: 'added to a connection to one Service again and again',
    unit: 'µs',
    of: ({ one, direct }) => one - direct,
    target: undefined,
  },
  {
    what: 'added to a connection past all Services',
    unit: 'µs',
    of: ({ miss, direct }) => miss - direct,
    target: 1 / 5,
  },
];

/** Targets are for big clusters; of smaller ones nobody is judged. */
export const targetsFrom = 10_000;

export function rowsOf({ contest, services, comparison }: Section): readonly Row[] {
  const rows = metrics.map(({ what, unit, of, target: targets }) => {
    const ours = of(comparison.ours);
    const theirs = of(comparison['kube-proxy']);
    const target = typeof targets === 'object' ? targets[contest.variant] : targets;
    return {
      what,
      unit,
      ours,
      theirs,
      target,
      verdict: services < targetsFrom || target === undefined ? undefined : ours <= theirs * target ? 'met' : 'missed',
    } as const;
  });
  // Nothing is said of what was not measured.
  return rows.filter(({ ours, theirs }) => Number.isFinite(ours) && Number.isFinite(theirs));
}

/** Of a table: what, ours, kube-proxy's, their ratio, the target and the verdict. */
export function cellsOf({ what, unit, ours, theirs, target, verdict }: Row): readonly string[] {
  const ratio = theirs > 0 ? (ours / theirs).toFixed(3) : '-';
  const most = target === undefined ? '' : `≤ ${target}`;
  return [what, inUnit(ours, unit), inUnit(theirs, unit), ratio, most, verdict ?? ''];
}

/** With as many digits as a measurement is worth. */
export function inUnit(value: number, unit: string): string {
  return `${value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2)} ${unit}`;
}

export interface Growth {
  readonly text: string;
  readonly verdict: 'met' | 'missed';
}

/** The most that a connection may take of what it takes where there is one Service alone. */
const mostGrowth = 1.08;

const growths: readonly { readonly what: string; readonly of: (measures: Measures) => number }[] = [
  { what: 'to one Service again and again, which shows the dispatch alone', of: ({ one, direct }) => one / direct },
  {
    what: 'to all Services by turns, whose rules the CPU has to fetch anew each time',
    of: ({ hit, direct }) => hit / direct,
  },
];

/**
 * connect(2) to a Service among many against one alone, each in shares of a connection without a rule at the same time.
 */
export function growth(sections: readonly Section[]): readonly Growth[] {
  return sections
    .filter(({ services }) => services >= targetsFrom)
    .flatMap(({ contest, services, comparison: { ours } }) => {
      const alone = sections.find((other) => other.contest.name === contest.name && other.services === 1)?.comparison
        .ours;
      return growths.flatMap(({ what, of }) => {
        const ratio = alone === undefined ? Number.NaN : of(ours) / of(alone);
        if (Number.isNaN(ratio)) return [];
        const verdict = ratio <= mostGrowth ? 'met' : 'missed';
        return [
          {
            text: `${contest.name}: a connection ${what}, takes ours ${ratio.toFixed(3)} times as long at ${services.toLocaleString('en')} Services as at 1 (target ${mostGrowth}: ${verdict})`,
            verdict,
          } as const,
        ];
      });
    });
}

/** In few words, for a picture. */
export function labelOf({ contest, services, endpoints }: Section): string {
  return `${contest.name}, ${services.toLocaleString('en')} × ${endpoints}`;
}

export function titleOf({ contest, services, endpoints }: Section): string {
  return `${contest.name}, ${services.toLocaleString('en')} Service${services === 1 ? '' : 's'} of ${endpoints} endpoints`;
}
