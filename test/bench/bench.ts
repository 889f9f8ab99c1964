/**
 * @module `npm run bench`: the product beside the real kube-proxy, in one run and by turns, on one machine; and what a
 * change costs when it goes to thousands of nodes. Another comparison is a file like iptables-nft.ts and an entry in
 * `contests`.
 *
 * Everything runs in network and mount namespaces of its own and ends with this process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { allParts, compare, type CompareSettings, type Part, type ProxyContest } from './compare.ts';
import { measureFanOut } from './fanOut.ts';
import { printFanOut, writeFanOut } from './fanOutReport.ts';
import { prepareGround } from './ground.ts';
import { iptablesLegacy } from './iptables-legacy.ts';
import { iptablesNft } from './iptables-nft.ts';
import { type IpvsResult, measureIpvs } from './ipvs.ts';
import { printIpvs, writeIpvs } from './ipvsReport.ts';
import { printTable, readMeasured, runDetails, saveMeasured, writeReport } from './report.ts';
import { type Section, targetsFrom } from './results.ts';

const contests: readonly ProxyContest[] = [iptablesNft, iptablesLegacy];
const fanOut = 'fan-out';
/** Not a contest like the others: it runs in a kernel of its own. */
const ipvs = 'ipvs';
const known: readonly string[] = [...contests.map(({ name }) => name), ipvs, fanOut];
const mostServices = 20_000;

const usage = `npm run bench -- [NAMES…] [--quick] [--services N]… [--only PART]… [--repetitions N] [--changes N] [--nodes N]… [--add]
npm run bench -- --page

NAMES          what to measure; everything without any: ${known.join(', ')}
--quick        500 Services (${ipvs}: 100), 3 repetitions, a few changes, 100 nodes; prints the tables and writes nothing
--services     sizes to measure proxies at, each of three endpoints; 1000 and 10000 without it, and 1 for comparison
--only         of a proxy's life besides its start and memory: ${allParts.join(', ')}; all of them without it
--repetitions  of each proxy, by turns (${ipvs}: 3, and 1 at 10000); of a change that fans out at each size; 5 and 3 without it
--changes      of one endpoint, there and back, in each repetition; 5 without it
--nodes        numbers of nodes that a change fans out to; 100, 1000 and 5000 without it
--add          keeps what other runs measured at other sizes on the page
--page         writes the page again from docs/performance.json, where the last run has left what it measured

The whole run takes two hours, half of them for ${ipvs}, and most of it kube-proxy's starts; ${fanOut} alone takes a few minutes. Each writes its own part of
docs/performance.md and its picture beside it.`;

interface Settings {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly services: readonly number[];
  readonly ipvsServices: readonly number[];
  readonly parts: readonly Part[];
  readonly add: boolean;
  readonly page: boolean;
  readonly nodes: readonly number[];
  readonly repetitions: number | undefined;
  readonly changes: number;
}

const options = {
  quick: { type: 'boolean', default: false },
  services: { type: 'string', multiple: true },
  only: { type: 'string', multiple: true },
  add: { type: 'boolean', default: false },
  page: { type: 'boolean', default: false },
  nodes: { type: 'string', multiple: true },
  repetitions: { type: 'string' },
  changes: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const usually = {
  quick: { services: [500], ipvsServices: [100], nodes: [100], changes: 3 },
  full: { services: [1, 1000, 10_000], ipvsServices: [1000, 10_000], nodes: [100, 1000, 5000], changes: 5 },
};

function settings(): Settings | undefined {
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const { quick, help, add, page, only = allParts } = values;
  const usual = quick ? usually.quick : usually.full;
  const services = sizes(values.services, usual.services);
  const ipvsServices = sizes(values.services, usual.ipvsServices);
  const nodes = sizes(values.nodes, usual.nodes);
  const repetitions = values.repetitions === undefined ? undefined : Number(values.repetitions);
  const changes = Number(values.changes ?? usual.changes);
  const parts = allParts.filter((part) => (only as readonly string[]).includes(part));
  const isUnknown = positionals.some((name) => !known.includes(name)) || only.length > parts.length;
  if (
    help ||
    isUnknown ||
    ![...services, ...nodes, repetitions ?? 1, changes].every(isCount) ||
    services.some((size) => size > mostServices)
  )
    return undefined;
  return {
    names: positionals.length > 0 ? positionals : known,
    quick,
    add,
    page,
    services,
    ipvsServices,
    parts,
    nodes,
    repetitions,
    changes,
  };
}

function isCount(number: number): boolean {
  return Number.isInteger(number) && number >= 1;
}

function sizes(given: readonly string[] | undefined, otherwise: readonly number[]): readonly number[] {
  return (given?.map(Number) ?? otherwise).toSorted((a, b) => a - b);
}

function progress(line: string): void {
  console.error(`bench: ${Math.round(performance.now() / 1000)} s: ${line}`);
}

async function main(directory: string): Promise<void> {
  const chosen = settings() ?? explain();
  if (chosen.page) {
    return writeReport(await readMeasured());
  }
  const proxies = contests.filter(({ name }) => chosen.names.includes(name));
  if (proxies.length > 0) console.log(await measureProxies(proxies, chosen, directory));
  if (chosen.names.includes(ipvs)) console.log(await measureInKernel(chosen, directory));
  if (chosen.names.includes(fanOut)) console.log(await measureChanges(chosen, directory));
}

/** The tables. Every part is written when it is there, so that an interrupted run is not for nothing. */
async function measureProxies(chosen: readonly ProxyContest[], how: Settings, directory: string): Promise<string> {
  const { quick, services: counts, changes, parts } = how;
  const repetitions = how.repetitions ?? (quick ? 3 : 5);
  const ground = await prepareGround(directory, progress);
  const sections: Section[] = how.add ? [...(await readMeasured())] : [];
  const measure = async (contest: ProxyContest, what: Omit<CompareSettings, 'changes'>): Promise<void> => {
    await ground.populate(what.services);
    const comparison = await compare(contest, ground, { ...what, changes });
    const place = sections.findIndex(
      (each) =>
        each.contest.name === contest.name && each.services === what.services && each.endpoints === ground.endpoints(),
    );
    const run = runDetails({ changes, kubeProxy: ground.kubeProxy, minutes: Math.ceil(performance.now() / 60_000) });
    sections.splice(place === -1 ? sections.length : place, place === -1 ? 0 : 1, {
      contest,
      services: what.services,
      endpoints: ground.endpoints(),
      repetitions: what.repetitions,
      comparison,
      run,
    });
    if (quick) return;
    await saveMeasured(sections);
    await writeReport(sections);
  };
  try {
    for (const services of counts) {
      // One Service alone is only there for the comparison of connections.
      const depth = services === 1 ? { repetitions: 1, parts: ['connect'] as const } : { repetitions, parts };
      for (const contest of chosen) await measure(contest, { services, ...depth });
    }
    const big = counts.at(-1) ?? 0;
    if (big >= targetsFrom && chosen.includes(iptablesLegacy)) {
      await ground.widen();
      await measure(iptablesLegacy, { services: big, repetitions: Math.min(3, repetitions), parts: [] });
    }
  } finally {
    await ground.stop();
  }
  return printTable(sections);
}

/** The tables. */
async function measureInKernel(
  { quick, ipvsServices, repetitions, changes }: Settings,
  directory: string,
): Promise<string> {
  const onResult = async (result: IpvsResult): Promise<void> => (quick ? undefined : writeIpvs(result));
  return printIpvs(
    await measureIpvs({
      sizes: ipvsServices,
      repetitions: repetitions ?? (quick ? 3 : undefined),
      changes,
      directory,
      progress,
      onResult,
    }),
  );
}

/** The table. */
async function measureChanges({ quick, nodes, repetitions }: Settings, directory: string): Promise<string> {
  const result = await measureFanOut({ sizes: nodes, changes: repetitions ?? (quick ? 1 : 3), directory, progress });
  if (!quick) await writeFanOut(result);
  return printFanOut(result);
}

function explain(): never {
  console.error(usage);
  process.exit(2);
}

/**
 * The same program again, in namespaces of its own, where it may make bridges and rules; what it leaves behind when it
 * is stopped goes here.
 */
async function enterNamespaces(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-bench-'));
  const command = [
    '--net',
    '--mount',
    'setpriv',
    '--pdeathsig',
    'TERM',
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
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
