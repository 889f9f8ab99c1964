/**
 * @module `npm run bench`: the product beside the real kube-proxy, in one run and by turns, on one machine. Another comparison is a
 * file like iptables-nft.ts and an entry in `contests`.
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
import { prepareGround } from './ground.ts';
import { iptablesLegacy } from './iptables-legacy.ts';
import { iptablesNft } from './iptables-nft.ts';
import { printTable, writeReport } from './report.ts';
import type { Section } from './results.ts';

const contests: readonly ProxyContest[] = [iptablesNft, iptablesLegacy];

const usage = `npm run bench -- [NAMES…] [--quick] [--services N]… [--repetitions N] [--changes N]

NAMES          what to measure; everything without any: ${contests.map(({ name }) => name).join(', ')}
--quick        500 Services, 3 repetitions, a few changes; prints the table and writes nothing
--services     sizes to measure at, each of three endpoints; 1000 and 10000 without it, and 1 for comparison
--repetitions  of each side, by turns; 5 without it
--changes      of one endpoint, in each repetition; 10 without it

The whole run takes about an hour, most of it kube-proxy's starts. It writes docs/performance.md and docs/performance.svg.`;

interface Settings {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly sizes: readonly number[];
  readonly repetitions: number;
  readonly changes: number;
}

function settings(): Settings | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      services: { type: 'string', multiple: true },
      repetitions: { type: 'string' },
      changes: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { quick, help } = values;
  const sizes = values.services?.map(Number) ?? (quick ? [500] : [1, 1000, 10_000]);
  const repetitions = Number(values.repetitions ?? (quick ? 3 : 5));
  const changes = Number(values.changes ?? (quick ? 4 : 10));
  const isWrong = [...sizes, repetitions, changes].some((number) => !Number.isInteger(number) || number < 1) || sizes.some((size) => size > 20_000);
  const unknown = positionals.filter((name) => !contests.some((contest) => contest.name === name));
  if (help || isWrong || unknown.length > 0) return undefined;
  return { names: positionals, quick, sizes, repetitions, changes };
}

async function main(directory: string): Promise<void> {
  const { names, quick, sizes, repetitions, changes } = settings() ?? explain();
  const started = performance.now();
  const progress = (line: string): void => console.error(`bench: ${Math.round((performance.now() - started) / 1000)} s: ${line}`);
  const ground = await prepareGround(directory, progress);
  const chosen = contests.filter(({ name }) => names.length === 0 || names.includes(name));
  const parts = sizes.toSorted((a, b) => a - b).flatMap((services) => chosen.map((contest) => ({ services, contest })));
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
  console.log(printTable(sections));
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
