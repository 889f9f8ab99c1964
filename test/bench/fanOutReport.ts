/** What a change of all nodes costs, as a table for people, a plot, and a part of the page. */
import type { FanOut, FanOutRow } from './fanOut.ts';
import { type Part } from './page.ts';
import { type Panel, plot } from './plot.ts';
import { inUnit } from './results.ts';

/** Costs that must not grow with the number of nodes. */
interface NodeCost {
  readonly what: string;
  readonly unit: string;
  readonly of: (row: FanOutRow) => number;
}

const nodeCosts: readonly NodeCost[] = [
  { what: 'time until told, per node', unit: 'ms', of: ({ toldSeconds, nodes }) => (1000 * toldSeconds) / nodes },
  { what: 'requests of the operator, per node', unit: '', of: ({ requests, nodes }) => requests / nodes },
  { what: 'CPU of the operator, per node', unit: 'ms', of: ({ cpuSeconds, nodes }) => (1000 * cpuSeconds) / nodes },
  { what: 'memory of the operator, per node', unit: 'KiB', of: ({ peakMiB, nodes }) => (1024 * peakMiB) / nodes },
];
/** Beyond what one measurement differs from the next on a machine that is not alone. */
const growthAllowed = 1.1;

interface Column {
  readonly title: string;
  readonly cell: (row: FanOutRow, above: FanOutRow | undefined) => string;
}

const columns: readonly Column[] = [
  { title: 'nodes', cell: ({ nodes }) => nodes.toLocaleString('en') },
  { title: 'all told', cell: ({ toldSeconds }) => `${toldSeconds.toFixed(2)} s` },
  { title: 'status says Ready', cell: ({ readySeconds }) => `${readySeconds.toFixed(2)} s` },
  { title: 'requests: operator', cell: ({ requests }) => requests.toFixed(0) },
  { title: 'agents', cell: ({ answers }) => answers.toFixed(0) },
  { title: 'both, per node', cell: ({ requests, answers, nodes }) => ((requests + answers) / nodes).toFixed(2) },
  { title: 'refused', cell: ({ refused }) => refused.toFixed(0) },
  { title: 'operator CPU', cell: ({ cpuSeconds }) => `${cpuSeconds.toFixed(2)} s` },
  { title: 'per node', cell: ({ cpuSeconds, nodes }) => `${((1000 * cpuSeconds) / nodes).toFixed(2)} ms` },
  { title: 'operator RSS, peak', cell: ({ peakMiB }) => `${peakMiB.toFixed(0)} MiB` },
  { title: 'per node', cell: ({ peakMiB, nodes }) => `${((1024 * peakMiB) / nodes).toFixed(0)} KiB` },
  { title: 'cost per node grows', cell: (row, above) => (above === undefined ? '' : verdict(row, above)) },
];

export function printFanOut({ rows, remarks }: FanOut): string {
  const lines = [columns.map(({ title }) => title), ...cells(rows)];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) => line.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '));
  return ['fan-out', ...text, ...remarks].join('\n');
}

export function fanOutPart(result: FanOut): Part {
  return {
    name: 'fan-out',
    markdown: page(result),
    picture: { name: 'performance-fan-out.svg', content: draw(result.rows) },
  };
}

function cells(rows: readonly FanOutRow[]): string[][] {
  return rows.map((row, index) => columns.map(({ cell }) => cell(row, rows[index - 1])));
}

/** Against the row above; the largest of the growths decides. */
function verdict(row: FanOutRow, above: FanOutRow): string {
  const growths = nodeCosts.map(({ of }) => of(row) / of(above));
  return `${Math.max(...growths) <= growthAllowed ? 'no' : 'YES'} (${growths.map((growth) => `× ${growth.toFixed(2)}`).join(', ')})`;
}

function page({ rows, remarks, machine }: FanOut): string {
  const head = [columns.map(({ title }) => ` ${title} `), columns.map(() => '---:')].map(
    (line) => `|${line.join('|')}|`,
  );
  const body = cells(rows).map((line) => `| ${line.join(' | ')} |`);
  const changes = rows.map((row) => row.changes).join(', ');
  return `## One change of a ProxyConfig to all nodes

![what a change costs for each node and in all, by the number of nodes; the table below has the numbers](performance-fan-out.svg)

${[...head, ...body].join('\n')}
${remarks.map((remark) => `\n${remark}\n`).join('')}
The cost per node is ${nodeCosts.map(({ what }) => what.replace(', per node', '')).join(', ')}, each against the row above; it grows when one of them is more than
${growthAllowed} times what it was.

- **What runs**: a real API server with its default limits, the operator as it is installed, with its own roles and the image's flags of Node, and a fleet of simulated agents that answer each change of
  their NodeProxy at once with a status. API server, operator and agents share ${machine}.
- **The change**: of \`masquerade.bit\`, with \`maxUnavailable: 100%\`, so that the operator alone limits the pace. Medians of ${changes} changes at the sizes above.
- **All told**: from the request that changes the ProxyConfig until the last NodeProxy has the new bit, as a watch sees it. **Ready**: until the ProxyConfig's status
  counts all nodes as ready and the rollout as complete; it is written once in 5 s at most.
- **Requests**: of the operator as the API server counts them for its priority level, Lease, events and status included; one answer of each agent. **Refused**: by that level, because it was full.

\`npm run bench -- fan-out\` measures this alone; \`--nodes\` names other sizes.
`;
}

const costsInAll: readonly NodeCost[] = [
  { what: 'from the change until all nodes are told', unit: 's', of: ({ toldSeconds }) => toldSeconds },
  { what: 'from the change until the status says Ready', unit: 's', of: ({ readySeconds }) => readySeconds },
  { what: 'memory of the operator, peak', unit: 'MiB', of: ({ peakMiB }) => peakMiB },
];

function draw(rows: readonly FanOutRow[]): string {
  const panels = [...nodeCosts, ...costsInAll].map((cost) => panelOf(cost, rows));
  return plot({
    title: 'One change of a ProxyConfig to all nodes: less is better',
    description: `What a change costs for each node and in all, by the number of nodes, on linear axes from 0. ${panels.map(({ title, rows: all }) => `${title}: ${all.map(({ label, words }) => `${label} ${words.join(' ')}`).join(', ')}.`).join(' ')}`,
    legend: [{ mark: 'circle', words: 'median of the changes' }],
    rowsAre: 'nodes that the change goes to',
    columns: ['measured'],
    panels,
  });
}

function panelOf({ what, unit, of }: NodeCost, rows: readonly FanOutRow[]): Panel {
  return {
    title: what,
    axis: { scale: 'linear', unit },
    rows: rows.map((row) => ({
      label: `${row.nodes.toLocaleString('en')} nodes`,
      points: [{ mark: 'circle', value: of(row) }],
      words: [inUnit(of(row), unit).trim()],
    })),
  };
}
