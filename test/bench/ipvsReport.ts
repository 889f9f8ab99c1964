/**
 * Mode ipvs beside kube-proxy's, as a table for people and a part of the page: ratios only, because the kernel inside
 * is slow in its own way.
 */
import { loadavg } from 'node:os';
import type { IpvsMeasures, IpvsResult, IpvsSection } from './ipvs.ts';
import { machine, versionOf, writePart } from './page.ts';
import { targetsFrom } from './results.ts';
import { alignColumns } from './table.ts';

interface Row {
  readonly what: string;
  readonly of: keyof IpvsMeasures;
  /** The most that ours may be of theirs; undefined where nothing was promised. */
  readonly target?: number;
}

const rows: readonly Row[] = [
  { what: 'cold start to all objects present', of: 'cold' },
  { what: 'CPU until then, with all tools', of: 'cpuCold' },
  { what: 'one endpoint changed, until a connection reaches it', of: 'change', target: 1 / 20 },
  { what: 'CPU per change, with all tools', of: 'cpuPerChange', target: 1 / 20 },
];

const header = ['', 'ours / kube-proxy', 'target', ''];

function cells({ comparison, services }: IpvsSection): string[][] {
  return rows.map(({ what, of, target }) => {
    const [ours, theirs] = [comparison.ours[of], comparison['kube-proxy'][of]];
    const verdict = target === undefined || services < targetsFrom ? '' : ours <= theirs * target ? 'met' : 'missed';
    return [what, theirs > 0 ? (ours / theirs).toFixed(3) : '-', target === undefined ? '' : `≤ ${target}`, verdict];
  });
}

function titleOf({ services, repetitions }: IpvsSection): string {
  return `ipvs, ${services.toLocaleString('en')} Services of 3 endpoints, ${repetitions} ${repetitions === 1 ? 'repetition' : 'repetitions'}`;
}

export function printIpvs({ sections }: IpvsResult): string {
  const blocks = sections.map((section) => {
    return [titleOf(section), ...alignColumns([header, ...cells(section)])].join('\n');
  });
  return [...blocks, `Targets are judged from ${targetsFrom.toLocaleString('en')} Services on.`].join('\n\n');
}

export async function writeIpvs(result: IpvsResult): Promise<void> {
  await writePart('ipvs', page(result));
}

function page({ sections, kernel, kubeProxy, changes }: IpvsResult): string {
  const version = versionOf(kubeProxy).replace('Kubernetes ', '');
  return `## Mode ipvs

${sections.map(markdownTable).join('\n\n')}

${judgement(sections)}

- **What runs**: the whole agent and the real kube-proxy ${version} in mode ipvs, by turns, each on a fresh node with iptables-nft, inside of Linux ${kernel} (User Mode Linux) on
  ${machine()}; both are fed by the same server of objects, a small one in the same kernel. Numbers are medians. The machine's load average at the end was ${(loadavg()[2] ?? 0).toFixed(0)}.
- **Only ratios** are shown: in this kernel a system call costs ten times the usual and the start of a program more. kube-proxy runs \`ipset\` once for each entry of a set, ours
  once for all: so a cold start of kube-proxy shows worse here than on a usual kernel. A change starts few programs on either side.
- **Cold start**: from the start of the process until the rules stand that ask the sets, which come last on either side; then virtual servers, real servers, addresses
  and entries in the kernel are counted.
- **One change**: the server tells of an EndpointSlice in which one of three endpoints has another address, until a connection reaches that. ${changes} in each repetition, each when
  the proxy rests. **CPU**: of the process and all children that it waited for, until it rests again.

\`npm run bench -- ipvs\` measures this alone. At 10,000 Services it asks each side once, because a start of kube-proxy takes one and a half
minutes for each 1,000 Services there, and more on a machine that has other work.`;
}

function judgement(sections: readonly IpvsSection[]): string {
  const judged = sections.filter(({ services }) => services >= targetsFrom);
  if (judged.length === 0)
    return `Not judged: this run stopped before ${targetsFrom.toLocaleString('en')} Services, and what kube-proxy does for a change grows with their number.`;
  const missed = judged.flatMap((section) =>
    cells(section)
      .filter((row) => row.at(-1) === 'missed')
      .map(([what, ratio, target]) => `- ${titleOf(section)}: ${what}: ${ratio} instead of ${target}`),
  );
  return missed.length === 0 ? 'No target was missed.' : `Missed:\n\n${missed.join('\n')}`;
}

function markdownTable(section: IpvsSection): string {
  const lines = cells(section).map((row) => `| ${row.join(' | ')} |`);
  return [`### ${titleOf(section)}`, '', `| ${header.join(' | ')} |`, '|---|---:|---:|---|', ...lines].join('\n');
}
