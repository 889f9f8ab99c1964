/** What a change of all nodes costs, as a table for people, a plot, and a part of the page. */
import type { FanOut, FanOutRow } from './fanOut.ts';
import { machine, writePart } from './page.ts';
import { plotBars } from './plot.ts';

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

export async function writeFanOut(result: FanOut): Promise<void> {
  await writePart('fan-out', page(result), { name: 'performance-fan-out.svg', content: draw(result.rows) });
}

function cells(rows: readonly FanOutRow[]): string[][] {
  return rows.map((row, index) => columns.map(({ cell }) => cell(row, rows[index - 1])));
}

/** Against the row above; the largest of the growths decides. */
function verdict(row: FanOutRow, above: FanOutRow): string {
  const growths = nodeCosts.map(({ of }) => of(row) / of(above));
  return `${Math.max(...growths) <= growthAllowed ? 'no' : 'YES'} (${growths.map((growth) => `× ${growth.toFixed(2)}`).join(', ')})`;
}

function page({ rows, remarks }: FanOut): string {
  const head = [columns.map(({ title }) => ` ${title} `), columns.map(() => '---:')].map(
    (line) => `|${line.join('|')}|`,
  );
  const body = cells(rows).map((line) => `| ${line.join(' | ')} |`);
  const changes = rows.map((row) => row.changes).join(', ');
  return `## One change of a ProxyConfig to all nodes

![time, requests, CPU and memory for each node, by the number of nodes](performance-fan-out.svg)

${[...head, ...body].join('\n')}
${remarks.map((remark) => `\n${remark}\n`).join('')}
The cost per node is ${nodeCosts.map(({ what }) => what.replace(', per node', '')).join(', ')}, each against the row above; it grows when one of them is more than
${growthAllowed} times what it was.

- **What runs**: a real API server with its default limits, the operator as it is installed, with its own roles and the image's flags of Node, and a fleet of simulated agents that answer each change of
  their NodeProxy at once with a status. API server, operator and agents share ${machine()}.
- **The change**: of \`masquerade.bit\`, with \`maxUnavailable: 100%\`, so that the operator alone limits the pace. Medians of ${changes} changes at the sizes above.
- **All told**: from the request that changes the ProxyConfig until the last NodeProxy has the new bit, as a watch sees it. **Ready**: until the ProxyConfig's status
  counts all nodes as ready and the rollout as complete; it is written once in 5 s at most.
- **Requests**: of the operator as the API server counts them for its priority level, Lease, events and status included; one answer of each agent. **Refused**: by that level, because it was full.

\`npm run bench -- fan-out\` measures this alone; \`--nodes\` names other sizes.
`;
}

function draw(rows: readonly FanOutRow[]): string {
  const bars = (of: (row: FanOutRow) => number, unit: string) =>
    rows.map((row) => ({
      label: `${row.nodes.toLocaleString('en')} nodes`,
      bars: [{ value: of(row), unit, side: 'ours' as const }],
    }));
  const perNode = nodeCosts.map(({ what, unit, of }) => ({
    title: what,
    groups: bars(of, unit),
    scale: 'linear' as const,
  }));
  const inAll = [
    {
      title: 'from the change until all nodes are told',
      groups: bars(({ toldSeconds }) => toldSeconds, 's'),
      scale: 'linear' as const,
    },
    {
      title: 'from the change until the status says Ready',
      groups: bars(({ readySeconds }) => readySeconds, 's'),
      scale: 'linear' as const,
    },
    { title: 'memory of the operator, peak', groups: bars(({ peakMiB }) => peakMiB, 'MiB'), scale: 'linear' as const },
  ];
  return plotBars({ legend: [], note: 'shorter is better; scales are linear', panels: [...perNode, ...inAll] });
}
