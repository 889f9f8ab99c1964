/**
 * @module `npm run bench`: the product beside the real kube-proxy (contests.ts), two builds of the product beside each
 * other (against/), and where the time of a cold start goes (profile/).
 *
 * Everything runs in network and mount namespaces of its own and ends with this process.
 */
import { CommanderError } from 'commander';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { againstTask } from './against/against.ts';
import { againstCommand } from './against/settings.ts';
import { contestsCommand, contestsTask } from './contests.ts';
import { type BenchTask, exitStatus } from './options.ts';
import { runInGroup } from './processGroup.ts';
import { profileTask } from './profile/profile.ts';
import { profileCommand } from './profile/settings.ts';

const help = (): string => `${contestsCommand().helpInformation()}
${againstCommand().helpInformation()}
${profileCommand().helpInformation()}
Examples:
  npm run bench -- --quick                                 # beside kube-proxy, in a few minutes
  npm run bench -- iptables-nft --services 1000
  npm run bench -- --against HEAD^                         # did my change cost anything? 20 minutes
  npm run bench -- --against 6a56e18 --variant nft --workload cold,memory --rounds 9 --max-ratio 1.03
  npm run bench -- --profile --services 1000 --variant nft   # where the time of a cold start goes
  npm run --silent bench -- --against HEAD --services 100 -o json | jq '.rows[] | {variant, measure, ratio}'

Exit status: ${exitStatus.done} measured; ${exitStatus.aboveMaxRatio} a median ratio is above --max-ratio; ${exitStatus.wrongUsage} wrong usage; \
${exitStatus.notMeasured} could not be measured; ${exitStatus.interrupted} interrupted.
`;

/** Throws CommanderError for wrong usage. */
function taskOf(args: readonly string[]): BenchTask {
  const isAsked = (flag: string): boolean => args.some((each) => each === flag || each.startsWith(`${flag}=`));
  if (isAsked('--against')) return againstTask(args);
  if (isAsked('--profile')) return profileTask(args);
  return contestsTask(args);
}

function progress(line: string): void {
  console.error(`bench: ${Math.round(performance.now() / 1000)} s: ${line}`);
}

/**
 * Runs the same program again, in namespaces of its own, where it may make bridges and rules. What it leaves behind
 * when it is stopped goes here.
 */
async function enterNamespaces(task: BenchTask): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-bench-'));
  const signal = interruption();
  try {
    await task.prepare?.({ directory, progress, signal });
    const same = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const env = { [inside]: directory };
    const status = await runInGroup(['unshare', '--net', '--mount', ...same], { env, signal, stdout: 1 });
    return signal.aborted ? exitStatus.interrupted : (status ?? exitStatus.notMeasured);
  } catch (error) {
    if (signal.aborted) return exitStatus.interrupted;
    throw error;
  } finally {
    await task.cleanUp?.({ directory, progress });
    await rm(directory, { recursive: true, force: true });
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The handlers stay: a second signal must not cut the end short. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of signals) process.on(name, () => controller.abort());
  return controller.signal;
}

/** The way out on which temporary files are removed; what was started ends with this process. */
function exitOnSignals(): void {
  for (const name of signals) process.once(name, () => process.exit(exitStatus.interrupted));
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help());
    return exitStatus.done;
  }
  const task = taskOf(args);
  const directory = process.env[inside];
  if (directory === undefined) return enterNamespaces(task);
  exitOnSignals();
  // Node's own exit status for it, 1, would speak of a ratio.
  process.on('uncaughtException', (error) => process.exit(explain(error)));
  return task.run({ directory, progress });
}

function explain(error: unknown): number {
  const isWrongUsage = error instanceof CommanderError;
  console.error(isWrongUsage ? `${error.message}\n(npm run bench -- --help says more)` : error);
  return isWrongUsage ? exitStatus.wrongUsage : exitStatus.notMeasured;
}

const inside = 'PROXYCONFIG_BENCH_DIRECTORY';
// What a failed measurement left running must not keep this process.
process.exit(await main(process.argv.slice(2)).catch(explain));
