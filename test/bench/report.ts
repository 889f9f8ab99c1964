/** What was measured: a table for people, and the page of the documentation. */
import { loadavg } from 'node:os';
import { iptablesVersion, kubeProxyVersion, machine, type Part } from './page.ts';
import { plot } from './plot.ts';
import { ratioChart } from './ratioChart.ts';
import type { RunDetails, Section } from './results.ts';
import { cellsOf, growth, rowsOf, targetsFrom, titleOf } from './results.ts';
import { alignColumns } from './table.ts';

/** `programs`: their names and versions. */
export function runDetails(changes: number, programs: readonly string[]): RunDetails {
  const versions = [`Node ${process.version}`, ...programs].join(', ');
  const minutes = Math.ceil(performance.now() / 60_000);
  return { changes, minutes, machine: `${machine()}; ${versions}.`, load: loadavg()[2] ?? 0 };
}

export function iptablesPrograms(kubeProxy: string): readonly string[] {
  return [kubeProxyVersion(kubeProxy), iptablesVersion()];
}

export function printTable(sections: readonly Section[]): string {
  const blocks = sections.map((section) => {
    const header = ['', 'ours', 'kube-proxy', 'ours / kube-proxy', 'target', ''];
    return [titleOf(section), ...alignColumns([header, ...rowsOf(section).map(cellsOf)])].join('\n');
  });
  return [
    ...blocks,
    ...growth(sections).map(({ text }) => text),
    `Targets are judged from ${targetsFrom.toLocaleString('en')} Services on.`,
  ].join('\n\n');
}

export function proxiesPart(sections: readonly Section[]): Part {
  return {
    name: 'proxies',
    markdown: page(sections),
    picture: { name: 'performance.svg', content: plot(ratioChart(sections)) },
  };
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

![${pictureWords}](performance.svg)

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
- **Memory**: resident, of the process and its children, each from when it runs a program of its own; steady after the changes, or after the start where none were made. Of 5 endpoints for each Service it is measured in the legacy variant, where kube-proxy starts in seconds; its own memory hardly depends on the variant.
- **Connections**: the median of connect(2) from the node, to all Services by turns or to an endpoint itself, minus that on a node without a rule beside it. Where the added time is less than a microsecond, the noise of the machine is seen.

\`npm run bench -- --help\` names the options; \`npm run bench -- --quick\` takes a few minutes. \`npm run bench -- --against REV\`
measures two builds of the product beside each other in the same way. A new comparison is a file beside
\`test/bench/iptables-nft.ts\` and an entry in \`test/bench/contests.ts\`.
`;
}

function nothingMissed(sections: readonly Section[]): string {
  const isJudged = sections.some(({ services }) => services >= targetsFrom);
  return isJudged
    ? 'None.'
    : `Not judged: this run stopped before ${targetsFrom.toLocaleString('en')} Services. What is here says nothing about the targets.`;
}

function markdownTable(section: Section): string {
  const lines = rowsOf(section).map((row) => `| ${cellsOf(row).join(' | ')} |`);
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

const pictureWords =
  'ours as a share of kube-proxy: starts, one change, CPU, memory and connections; the tables below have the numbers';
