/**
 * @module `npm run bench`: the product beside the real kube-proxy, in one run and by turns, on one machine; and what a change costs when
 * it goes to thousands of nodes. Another comparison is a file like iptables-nft.ts and an entry in `contests`.
 *
 * Everything runs in network and mount namespaces of its own and ends with this process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compare, type ProxyContest } from './compare.ts';
import { measureFanOut } from './fanOut.ts';
import { printFanOut, writeFanOut } from './fanOutReport.ts';
import { prepareGround } from './ground.ts';
import { iptablesLegacy } from './iptables-legacy.ts';
import { iptablesNft } from './iptables-nft.ts';
import { printTable, writeReport } from './report.ts';
import type { Section } from './results.ts';

const contests: readonly ProxyContest[] = [iptablesNft, iptablesLegacy];
const fanOut = 'fan-out';
const known: readonly string[] = [...contests.map(({ name }) => name), fanOut];
const mostServices = 20_000;

const usage = `npm run bench -- [NAMES…] [--quick] [--services N]… [--repetitions N] [--changes N] [--nodes N]…

NAMES          what to measure; everything without any: ${known.join(', ')}
--quick        500 Services, 3 repetitions, a few changes, 100 nodes; prints the tables and writes nothing
--services     sizes to measure proxies at, each of three endpoints; 1000 and 10000 without it, and 1 for comparison
--repetitions  of each proxy, by turns; of a change that fans out at each size; 5 and 3 without it
--changes      of one endpoint, in each repetition; 10 without it
--nodes        numbers of nodes that a change fans out to; 100, 1000 and 5000 without it

The whole run takes about an hour, most of it kube-proxy's starts; ${fanOut} alone takes a few minutes. Each writes its own part of docs/performance.md
and its picture beside it.`;

interface Settings {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly services: readonly number[];
  readonly nodes: readonly number[];
  readonly repetitions: number | undefined;
  readonly changes: number;
}

function settings(): Settings | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      services: { type: 'string', multiple: true },
      nodes: { type: 'string', multiple: true },
      repetitions: { type: 'string' },
      changes: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { quick, help } = values;
  const services = sizes(values.services, quick ? [500] : [1, 1000, 10_000]);
  const nodes = sizes(values.nodes, quick ? [100] : [100, 1000, 5000]);
  const repetitions = values.repetitions === undefined ? undefined : Number(values.repetitions);
  const changes = Number(values.changes ?? (quick ? 4 : 10));
  const isWrong = [...services, ...nodes, repetitions ?? 1, changes].some((number) => !Number.isInteger(number) || number < 1);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (help || isWrong || services.some((size) => size > mostServices) || unknown.length > 0) return undefined;
  return { names: positionals.length > 0 ? positionals : known, quick, services, nodes, repetitions, changes };
}

function sizes(given: readonly string[] | undefined, otherwise: readonly number[]): readonly number[] {
  return (given?.map(Number) ?? otherwise).toSorted((a, b) => a - b);
}

type Progress = (line: string) => void;

async function main(directory: string): Promise<void> {
  const chosen = settings() ?? explain();
  const started = performance.now();
  const progress = (line: string): void => console.error(`bench: ${Math.round((performance.now() - started) / 1000)} s: ${line}`);
  const proxies = contests.filter(({ name }) => chosen.names.includes(name));
  if (proxies.length > 0) console.log(await measureProxies(proxies, chosen, directory, progress));
  if (chosen.names.includes(fanOut)) console.log(await measureChanges(chosen, directory, progress));
}

/** The tables. */
async function measureProxies(chosen: readonly ProxyContest[], { quick, services: counts, changes, ...given }: Settings, directory: string, progress: Progress): Promise<string> {
  const repetitions = given.repetitions ?? (quick ? 3 : 5);
  const ground = await prepareGround(directory, progress);
  const parts = counts.flatMap((services) => chosen.map((contest) => ({ services, contest })));
  const sections: Section[] = [];
  try {
    for (const { services, contest } of parts) {
      await ground.populate(services);
      sections.push({ contest, services, comparison: await compare(contest, ground, { services, repetitions, changes }) });
      // After each part, so that an interrupted run is not for nothing.
      if (!quick) await writeReport(sections, { repetitions, changes, kubeProxy: ground.kubeProxy });
    }
  } finally {
    await ground.stop();
  }
  return printTable(sections);
}

/** The table. */
async function measureChanges({ quick, nodes, repetitions }: Settings, directory: string, progress: Progress): Promise<string> {
  const result = await measureFanOut({ sizes: nodes, changes: repetitions ?? (quick ? 1 : 3), directory, progress });
  if (!quick) await writeFanOut(result);
  return printFanOut(result);
}

function explain(): never {
  console.error(usage);
  process.exit(2);
}

/** The same program again, in namespaces of its own, where it may make bridges and rules; what it leaves behind when it is stopped goes here. */
async function enterNamespaces(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-bench-'));
  const command = ['--net', '--mount', 'setpriv', '--pdeathsig', 'TERM', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', command, { stdio: 'inherit', env: { ...process.env, [inside]: directory } });
  // Ctrl-C in a terminal reaches the child by itself.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  const [status] = (await once(child, 'exit')) as [number | null];
  await rm(directory, { recursive: true, force: true });
  process.exitCode = status ?? 1;
}

/** The way out on which temporary files are removed; what was started ends with this process. */
function exitOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
}

const inside = 'PROXYCONFIG_BENCH_DIRECTORY';
const directoryInside = process.env[inside];
if (directoryInside !== undefined) {
  exitOnSignals();
  await main(directoryInside);
} else if (settings() === undefined) explain();
else await enterNamespaces();
