/** Ours as a share of kube-proxy's, of what a user feels. */
import type { Chart, PointRow } from './plot.ts';
import { cellsOf, labelOf, type Row, rowsOf, type Section } from './results.ts';

/** One panel for each. */
const felt: readonly string[] = [
  'cold start to all rules present',
  'restart on a live table',
  'one endpoint changed, until a connection reaches it',
  'CPU per change, with all tools',
  'memory in steady state',
  'added to a connection to a Service',
];

export function ratioChart(sections: readonly Section[]): Chart {
  const shown = sections.filter(({ services }) => services > 1);
  const rows = felt.map((title) => ({
    title,
    found: shown.flatMap((section) =>
      rowsOf(section)
        .filter(({ what }) => what === title)
        .map((row) => ({ label: labelOf(section), row })),
    ),
  }));
  const atLeast = Math.max(1, ...rows.flatMap(({ found }) => found.map(({ row }) => row.ours / row.theirs)));
  return {
    title: 'Ours as a share of kube-proxy: less is better',
    description: `For each measure and each number of Services × endpoints, what ours takes divided by what kube-proxy takes, on a linear axis from 0. At 1 both are alike. ${summary(rows)}`,
    legend: [
      { mark: 'circle', words: 'ours / kube-proxy' },
      { mark: 'target', words: 'target: at most (✓ met, ✗ missed)' },
      { mark: 'reference', words: 'as kube-proxy' },
    ],
    rowsAre: 'Services × endpoints',
    columns: ['ratio', 'target', 'ours', 'kube-proxy'],
    panels: rows
      .filter(({ found }) => found.length > 0)
      .map(({ title, found }) => ({
        title,
        axis: { scale: 'linear', unit: '', atLeast, reference: 1 },
        rows: found.map(({ label, row }) => pointRow(label, row)),
      })),
  };
}

function pointRow(label: string, row: Row): PointRow {
  const [, ours = '', theirs = '', ratio = '', target = '', verdict = ''] = cellsOf(row);
  const isJudged = row.target !== undefined && row.verdict !== undefined;
  return {
    label,
    points: [
      { mark: 'circle', value: row.ours / row.theirs },
      ...(isJudged ? [{ mark: 'target', value: row.target } as const] : []),
    ],
    words: [ratio, isJudged ? [target, verdict === 'missed' ? '✗' : '✓'].join(' ') : '', ours, theirs],
  };
}

function summary(
  rows: readonly { readonly title: string; readonly found: readonly { readonly label: string; readonly row: Row }[] }[],
): string {
  return rows
    .flatMap(({ title, found }) => found.map(({ label, row }) => `${title}, ${label}: ${cellsOf(row)[3] ?? ''}.`))
    .join(' ');
}
