/** What two builds cost, as a table for people and a document for programs. */
import type { AgainstSettings } from './settings.ts';
import type { BuildsComparison } from './compareBuilds.ts';
import { alignColumns } from '../table.ts';
import { type Row, rowsOf, type Spread } from './rows.ts';

type Asked = Pick<
  AgainstSettings,
  'against' | 'services' | 'endpoints' | 'workload' | 'rounds' | 'changes' | 'maxRatio'
>;

/** Those whose median ratio is above the one that is allowed; none without one. */
export function rowsAbove(comparison: BuildsComparison, { workload, maxRatio = Infinity }: Asked): readonly Row[] {
  return rowsOf(comparison, workload).filter(({ ratio }) => ratio !== undefined && ratio.median > maxRatio);
}

export function asTable(comparison: BuildsComparison, asked: Asked): string {
  const { against, services, endpoints } = asked;
  const rows = rowsOf(comparison, asked.workload);
  const blocks = comparison.measured.map(({ variant }) => {
    const lines = rows.filter((row) => row.variant === variant).map(cells);
    const title = `iptables-${variant}, ${services.toLocaleString('en')} Services of ${endpoints} endpoints`;
    return [title, ...alignColumns([['', 'work tree', against, 'ratio', 'spread', 'rounds'], ...lines])].join('\n');
  });
  return [...blocks, notes(comparison, asked), ...verdict(comparison, asked)].join('\n\n');
}

function cells({ what, unit, workTree, revision, ratio, rounds }: Row): readonly string[] {
  const values = [workTree, revision].map((value) => (Number.isNaN(value) ? '-' : `${rounded(value)} ${unit}`));
  return [what, ...values, ratio?.median.toFixed(3) ?? '-', inWords(ratio), String(rounds)];
}

function rounded(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}

function inWords(spread: Spread | undefined): string {
  return spread === undefined ? '-' : `${spread.lowest.toFixed(3)} to ${spread.highest.toFixed(3)}`;
}

function notes({ workTree, revision, machine, load }: BuildsComparison, { against }: Asked): string {
  return `work tree: ${workTree}; ${against}: ${revision.slice(0, 12)}. Values are medians; ratio: the median of the rounds' ratios,
work tree / ${against}; spread: the lowest and the highest of them. CPU of the agent is without its tools'.
${machine}; load average ${load.toFixed(1)}.`;
}

function verdict(comparison: BuildsComparison, asked: Asked): readonly string[] {
  if (asked.maxRatio === undefined) return [];
  const above = rowsAbove(comparison, asked);
  if (above.length === 0) return [`No median ratio is above ${asked.maxRatio}.`];
  const lines = above.map(({ variant, what, ratio }) => `iptables-${variant}: ${what}: ${ratio?.median.toFixed(3)}`);
  return [[`Above ${asked.maxRatio}:`, ...lines].join('\n')];
}

/** null in JSON: not measured, or not asked. What changes a field's meaning changes `apiVersion`. */
export function asDocument(comparison: BuildsComparison, asked: Asked) {
  const { workTree, revision, machine, load } = comparison;
  const { against, services, endpoints, rounds, changes, maxRatio } = asked;
  const above = rowsAbove(comparison, asked).map(({ variant, measure }) => ({ variant, measure }));
  return {
    apiVersion: 'bench.proxyconfig.dev/v1',
    kind: 'BuildComparison',
    workTree: { description: workTree },
    revision: { name: against, commit: revision },
    services,
    endpoints,
    rounds,
    changes,
    machine: { description: machine, load },
    maxRatio: maxRatio ?? null,
    above,
    rows: rowsOf(comparison, asked.workload),
  };
}
