/** kube-proxy in nftables mode beside what it stands on: a table for people, a part of the page and its picture. */
import type { BaselineSection } from './baselines.ts';
import type { Measures } from './measures.ts';
import { kubeProxyVersion, nftVersion, type Part } from './page.ts';
import { type Axis, type Chart, type Mark, type Panel, plot } from './plot.ts';
import { inUnit } from './results.ts';
import { alignColumns } from './table.ts';

interface Row {
  readonly what: string;
  readonly unit: string;
  readonly of: (measures: Partial<Measures>) => number;
  /** How it is drawn, if it is. */
  readonly axis?: Axis['scale'];
}

interface Column {
  readonly head: string;
  readonly mark: Mark;
  readonly of: (section: BaselineSection) => Partial<Measures> | undefined;
}

const notMeasured = Number.NaN;

const rows: readonly Row[] = [
  { what: 'cold start', unit: 's', of: ({ cold = notMeasured }) => cold / 1000, axis: 'logarithmic' },
  {
    what: 'CPU of the cold start, with all tools',
    unit: 's',
    of: ({ coldCpu = 0, coldCpuTools = notMeasured }) => (coldCpu + coldCpuTools) / 1000,
  },
  {
    what: 'restart on a live table',
    unit: 's',
    of: ({ restart = notMeasured }) => restart / 1000,
    axis: 'logarithmic',
  },
  { what: 'one endpoint changed', unit: 'ms', of: ({ change = notMeasured }) => change, axis: 'logarithmic' },
  {
    what: 'CPU per change, with all tools',
    unit: 'ms',
    of: ({ cpuPerChange = notMeasured }) => cpuPerChange,
    axis: 'logarithmic',
  },
  { what: 'memory in steady state', unit: 'MiB', of: ({ rss = notMeasured }) => rss, axis: 'linear' },
  { what: 'memory, peak with its tools', unit: 'MiB', of: ({ rssPeak = notMeasured }) => rssPeak },
];

const columns: readonly Column[] = [
  { head: 'ours', mark: 'circle', of: ({ sides }) => sides?.ours },
  { head: 'kube-proxy', mark: 'square', of: ({ sides }) => sides?.['kube-proxy'] },
  { head: 'nft alone', mark: 'triangle', of: ({ tool }) => tool },
  { head: 'watch alone', mark: 'diamond', of: ({ watcher }) => watcher },
];

export function printBaselines(sections: readonly BaselineSection[]): string {
  return sections
    .map((section) =>
      [titleOf(section), ...alignColumns([['', ...headsOf([section])], ...tableOf(section)])].join('\n'),
    )
    .join('\n\n');
}

export function baselinesPart(sections: readonly BaselineSection[]): Part {
  return {
    name: 'nftables',
    markdown: page(sections),
    picture: { name: 'performance-nftables.svg', content: plot(chartOf(sections)) },
  };
}

/** The versions that the page names. */
export function nftablesPrograms(kubeProxy: string): readonly string[] {
  return [kubeProxyVersion(kubeProxy), nftVersion()];
}

/** Of those who were measured in any of the sections. */
function columnsOf(sections: readonly BaselineSection[]): readonly Column[] {
  return columns.filter(({ of }) => sections.some((section) => of(section) !== undefined));
}

function headsOf(sections: readonly BaselineSection[]): readonly string[] {
  return columnsOf(sections).map(({ head }) => head);
}

function tableOf(section: BaselineSection): readonly (readonly string[])[] {
  return rows.map((row) => [row.what, ...columnsOf([section]).map((column) => cellOf(row, column, section))]);
}

function cellOf({ unit, of }: Row, column: Column, section: BaselineSection): string {
  const value = of(column.of(section) ?? {});
  if (Number.isNaN(value)) return '';
  return Number.isFinite(value) ? inUnit(value, unit) : `> ${section.limitMinutes} min`;
}

function titleOf({ services, endpoints }: BaselineSection): string {
  return `nftables, ${services.toLocaleString('en')} Services of ${endpoints} ${endpoints === 1 ? 'endpoint' : 'endpoints'}`;
}

/** From few to many. */
function inOrder(sections: readonly BaselineSection[]): readonly BaselineSection[] {
  return sections.toSorted((one, other) => one.services - other.services || one.endpoints - other.endpoints);
}

function chartOf(measured: readonly BaselineSection[]): Chart {
  const sections = inOrder(measured);
  const shown = columnsOf(sections);
  const panels = rows.flatMap((row) => (row.axis === undefined ? [] : [panelOf(row, row.axis, shown, sections)]));
  return {
    title: 'kube-proxy in nftables mode, and what it stands on: less is better',
    description: `Seconds, milliseconds and MiB by the number of Services × endpoints; times are on logarithmic axes, memory is on a linear one from 0. ${panels.map((panel) => inWords(panel, shown)).join(' ')}`,
    legend: shown.map(({ mark, head }) => ({ mark, words: head })),
    rowsAre: 'Services × endpoints of each',
    columns: shown.map(({ head }) => head),
    panels,
  };
}

function panelOf(
  row: Row,
  scale: Axis['scale'],
  shown: readonly Column[],
  sections: readonly BaselineSection[],
): Panel {
  return {
    title: row.what,
    axis: { scale, unit: row.unit },
    rows: sections.map((section) => ({
      label: `${section.services.toLocaleString('en')} × ${section.endpoints}`,
      points: shown.map((column) => ({ mark: column.mark, value: row.of(column.of(section) ?? {}) })),
      words: shown.map((column) => cellOf(row, column, section)),
    })),
  };
}

function inWords({ title, rows: all }: Panel, shown: readonly Column[]): string {
  const each = all.map(({ label, words }) => {
    const measured = words.map((word, index) => (word === '' ? '' : `${shown[index]?.head ?? ''} ${word}`));
    return `${label}: ${measured.filter(Boolean).join(', ')}`;
  });
  return `${title}: ${each.join('; ')}.`;
}

function page(measured: readonly BaselineSection[]): string {
  const sections = inOrder(measured);
  return `## kube-proxy in nftables mode, and what it stands on

Mode nftables of the product is to be built; this is what it will be measured beside. kube-proxy stands on an API server that tells it of a change, and on a kernel and
a tool that take its rules. Each is measured alone in the same run, so that one sees what of the time is kube-proxy's own.

![kube-proxy in nftables mode beside nft alone and a watch alone: starts, one change, CPU and memory; the tables below have the numbers](performance-nftables.svg)

${sections.map(markdownTable).join('\n\n')}

- **kube-proxy**: as in the other tables, on a fresh node each time. It writes all rules in one transaction: with the first connection to the last Service all are in force, and then the endpoints in the kernel are counted. A change is one until a connection reaches the new endpoint.
- **nft alone**: the rules that kube-proxy wrote, listed once and loaded by \`nft -f\` into an empty node; from the start of nft until a connection to the last Service succeeds. A change replaces the rules of one Service's chain, until a connection reaches the new endpoint. CPU is that of nft, until it ends; what the kernel does later by itself is in nobody's.
- **Watch alone**: a program of Node.js that lists Services and EndpointSlices, pages of JSON, and watches them. A cold start is until all are listed; kube-proxy asks for protobuf and may be faster. A change is until the event is there.
- **More than so many minutes** (>): the start or the change was given up after that time, and what comes after it was not measured.
- **Machine**: ${[...new Set(sections.map(({ run }) => run.machine))].join(' ')}

\`npm run bench -- kube-proxy\` measures this alone; \`--services\`, \`--endpoints\` and \`--repetitions\` name other sizes, \`--limit\` how long a start may take.`;
}

function markdownTable(section: BaselineSection): string {
  const heads = headsOf([section]);
  const lines = tableOf(section).map((line) => `| ${line.join(' | ')} |`);
  const columnLines = [`| | ${heads.join(' | ')} |`, `|---|${heads.map(() => '---:|').join('')}`];
  return [`### ${titleOf(section)}`, '', howOften(section), '', ...columnLines, ...lines].join('\n');
}

function howOften({ repetitions, run: { changes, load } }: BaselineSection): string {
  const times = repetitions === 1 ? 'Once' : `Medians of ${repetitions} repetitions`;
  return `${times}, ${2 * changes} changes of an endpoint in each; at a load average of ${load.toFixed(1)}.`;
}
