/**
 * @module `npm run replace`: an agent of another build is replaced by this one, and back, under traffic.
 *
 * The nodes are namespaces or kernels of their own; nothing of them is left, however this program ends.
 */
import { CommanderError } from 'commander';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../.ci/build.ts';
import { checkOut, commitOf, removeCheckout, treeIn } from '../bench/against/revision.ts';
import { productCommand } from '../bench/ground.ts';
import type { Outside } from '../bench/options.ts';
import { asText, isPassed, type NodeReport, sumOf } from './report.ts';
import { runOnNode } from './runOnNode.ts';
import { exitStatus, replaceCommand, replaceSettings, type ReplaceSettings } from './settings.ts';
import { allReplacements, type ReplaceTask } from './task.ts';

const root = join(import.meta.dirname, '..', '..');

function progress(line: string): void {
  console.error(`replace: ${Math.round(performance.now() / 1000)} s: ${line}`);
}

/** How each build is started. Throws where one cannot be built. */
async function build(commit: string, outside: Outside): Promise<ReplaceTask['products']> {
  await checkOut(commit, outside);
  progress('building the work tree');
  const dist = join(outside.directory, 'dist');
  await bundle(dist);
  const tree = treeIn(outside.directory);
  return { revision: productCommand(tree, join(tree, 'dist')), 'this build': productCommand(root, dist) };
}

async function replaceOnNodes({ against, nodes }: ReplaceSettings, outside: Outside): Promise<number> {
  const commit = await commitOf(against);
  if (commit === undefined) return replaceCommand().error(`error: --against: git knows no commit '${against}' here`);
  const products = await build(commit, outside);
  const reports: NodeReport[] = [];
  for (const { mode, variant } of nodes) {
    const name = `${mode}, ${variant}`;
    progress(`a node in mode ${name}`);
    const report = await runOnNode(
      { mode, variant, api: mode === 'ipvs' ? 'objects' : 'real', products, replacements: allReplacements },
      { ...outside, onStep: ({ step, problems }) => progress(`${problems.length === 0 ? 'PASS' : 'FAIL'} ${step}`) },
    );
    outside.signal.throwIfAborted();
    reports.push(report);
    console.log(`${asText(report)}\n`);
  }
  console.log(`${sumOf(reports)}; revision: ${against} (${commit.slice(0, 12)})`);
  return reports.every(isPassed) ? exitStatus.passed : exitStatus.failed;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The handlers stay: a second signal must not cut the end short. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of signals) process.on(name, () => controller.abort());
  return controller.signal;
}

async function main(args: readonly string[]): Promise<number> {
  const settings = replaceSettings(args);
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-replace-'));
  const outside: Outside = { directory, progress, signal: interruption() };
  try {
    return await replaceOnNodes(settings, outside);
  } catch (error) {
    if (!outside.signal.aborted) throw error;
    progress('interrupted');
    return exitStatus.notRun;
  } finally {
    await removeCheckout(outside);
    // The last processes of a node that was killed may still write.
    await rm(directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

function explain(error: unknown): number {
  if (!(error instanceof CommanderError)) console.error(error);
  else if (error.exitCode === 0) return exitStatus.passed;
  else console.error(`${error.message}\n(npm run replace -- --help says more)`);
  return exitStatus.notRun;
}

process.exit(await main(process.argv.slice(2)).catch(explain));
