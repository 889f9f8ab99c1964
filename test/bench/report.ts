/** What was measured: a table for people, and the page of the documentation. */
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { iptablesVersion, machine, versionOf, writePart } from './page.ts';
import { plot } from './plot.ts';
import type { Row, RunDetails, Section } from './results.ts';
import { growth, rowsOf, targetsFrom, titleOf } from './results.ts';
import { alignColumns } from './table.ts';

export function runDetails(run: Pick<RunDetails, 'changes' | 'minutes'> & { readonly kubeProxy: string }): RunDetails {
  const { changes, minutes } = run;
  return { changes, minutes, machine: versions(run), load: loadavg()[2] ?? 0 };
}

export function printTable(sections: readonly Section[]): string {
  const blocks = sections.map((section) => {
    const header = ['', 'ours', 'kube-proxy', 'ours / kube-proxy', 'target', ''];
    return [titleOf(section), ...alignColumns([header, ...rowsOf(section).map(cells)])].join('\n');
  });
  return [
    ...blocks,
    ...growth(sections).map(({ text }) => text),
    `Targets are judged from ${targetsFrom.toLocaleString('en')} Services on.`,
  ].join('\n\n');
}

function cells({ what, unit, ours, theirs, target, verdict }: Row): readonly string[] {
  const ratio = theirs > 0 ? (ours / theirs).toFixed(3) : '-';
  return [
    what,
    `${round(ours)} ${unit}`,
    `${round(theirs)} ${unit}`,
    ratio,
    target === undefined ? '' : `≤ ${target}`,
    verdict ?? '',
  ];
}

function round(value: number): string {
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}

export async function writeReport(sections: readonly Section[]): Promise<void> {
  await writePart('proxies', page(sections), { name: 'performance.svg', content: plot(sections) });
}

const measuredFile = join(import.meta.dirname, '..', '..', 'docs', 'performance.json');

/** Everything that the page is made of. */
export async function saveMeasured(sections: readonly Section[]): Promise<void> {
  await writeFile(measuredFile, `${JSON.stringify({ sections }, undefined, 1)}\n`);
}

export async function readMeasured(): Promise<readonly Section[]> {
  // JSON has null for what was not measured.
  const { sections } = JSON.parse(
    await readFile(measuredFile, 'utf8'),
    (_name, value: unknown) => value ?? Number.NaN,
  ) as { sections: Section[] };
  return sections;
}

function page(sections: readonly Section[]): string {
  const grown = growth(sections);
  const missedRows = sections.flatMap((section) =>
    rowsOf(section)
      .filter(({ verdict }) => verdict === 'missed')
      .map(
        ({ what, ours, theirs, target }) =>
          `- ${titleOf(section)}: ${what}: ${(ours / theirs).toFixed(3)} instead of ${target}`,
      ),
  );
  const missed = [...missedRows, ...grown.filter(({ verdict }) => verdict === 'missed').map(({ text }) => `- ${text}`)];
  return `Written by \`npm run bench\`, which runs the product and the real kube-proxy on one machine by turns, fed by one real API server. Read the
ratios, not the times: the machine is small and was not alone. Targets are judged from ${targetsFrom.toLocaleString('en')} Services on.

![cold start, one change and connections, ours beside kube-proxy](performance.svg)

${sections.map(markdownTable).join('\n\n')}

${grown.map(({ text }) => `- ${text}.`).join('\n')}

## Targets that were missed

${missed.length === 0 ? nothingMissed(sections) : missed.join('\n')}

## How it was measured

Both sides by turns, on a fresh node each time; the numbers are medians of the repetitions that each table names. ${[...new Set(sections.map(({ run }) => run.machine))].join(' ')}
A load average much higher than the number of CPUs means that both sides waited for others.

- **Node**: a network namespace with a Node object, a cable to the API server and its own rules. Endpoints' addresses are local to it.
- **Cold start**: from the start of the process until a connection to the last Service succeeds; then the endpoints in the kernel are counted.
- **Restart**: the same with all rules in place, until a Service works that was made while no proxy ran.
- **One change**: an EndpointSlice is patched so that one of three endpoints has another address; from the request to the API server until a connection reaches the new address. Some changes there and as many back in each repetition, each after both sides could have synced again at once.
- **CPU**: user and system time of the process and all its children over all these changes, minus what it uses in as much time without any, by the number of changes. The periodic looks at the kernel of both sides (60 s, 30 s) are put off for an hour.
- **Memory**: resident, of the process and its children; steady after the changes, or after the start where none were made. Of 5 endpoints for each Service it is measured in the legacy variant, where kube-proxy starts in seconds; its own memory hardly depends on the variant.
- **Connections**: the median of connect(2) from the node, to all Services by turns or to an endpoint itself, minus that on a node without a rule beside it. Where the added time is less than a microsecond, the noise of the machine is seen.

\`npm run bench -- --help\` names the options; \`npm run bench -- --quick\` takes a few minutes. \`npm run bench -- --against REV\`
measures two builds of the product beside each other in the same way. A new comparison is a file beside
\`test/bench/iptables-nft.ts\` and an entry in \`test/bench/bench.ts\`.
`;
}

function nothingMissed(sections: readonly Section[]): string {
  const isJudged = sections.some(({ services }) => services >= targetsFrom);
  return isJudged
    ? 'None.'
    : `Not judged: this run stopped before ${targetsFrom.toLocaleString('en')} Services. What is here says nothing about the targets.`;
}

function markdownTable(section: Section): string {
  const lines = rowsOf(section).map((row) => `| ${cells(row).join(' | ')} |`);
  return [
    `## ${titleOf(section)}`,
    '',
    howOften(section),
    '',
    '| | ours | kube-proxy | ours / kube-proxy | target | |',
    '|---|---:|---:|---:|---:|---|',
    ...lines,
  ].join('\n');
}

function howOften({ repetitions, comparison, run: { changes, minutes, load } }: Section): string {
  const times = repetitions === 1 ? 'Once' : `${repetitions} repetitions`;
  const withChanges = Number.isFinite(comparison.ours.change) ? `, ${2 * changes} changes of an endpoint in each` : '';
  return `${times}${withChanges}; measured ${minutes} minutes after the run began, at a load average of ${load.toFixed(1)}.`;
}

function versions({ kubeProxy }: { readonly kubeProxy: string }): string {
  return `${machine()}; Node ${process.version}, kube-proxy ${versionOf(kubeProxy).replace('Kubernetes ', '')}, ${iptablesVersion()}.`;
}
