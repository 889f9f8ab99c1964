/**
 * @module `npm run demo`: a real cluster on this machine, the product installed in it, and the story of
 * test/demo/steps.ts told step by step.
 *
 * Exit status: 0 every step passed, 1 a step failed, 2 wrong usage, 130 interrupted.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { type Cluster, up } from '../cluster/cluster.ts';
import { productImage } from '../cluster/images.ts';
import { install } from './install.ts';
import { printChapter, printProgress, printResult, printVerdict } from './report.ts';
import { type Result, runStep } from './runStep.ts';
import type { Scene } from './scene.ts';
import { chapters } from './steps.ts';

interface Options {
  readonly keep: boolean;
  readonly withoutAgents: boolean;
  readonly nodes: number;
}

/** Without agents nothing will come true later, so each step gets one short chance. */
const hopelessMs = 3000;

function nodeCount(text: string): number {
  if (!/^[1-9]$/.test(text)) throw new InvalidArgumentError('give a number from 1 to 9');
  return Number(text);
}

const program = new Command('npm run demo --')
  .description(
    'Brings up a real Kubernetes cluster on this machine, installs the product, and shows Services working, step by step.',
  )
  .option('--keep', 'leave the cluster up afterwards and say how to use it', false)
  .option('--without-agents', 'install the operator alone: the packet steps must FAIL', false)
  .option('--nodes <count>', 'nodes of the cluster, 1 to 9', nodeCount, 2)
  .addHelpText(
    'after',
    '\nExamples:\n  npm run demo\n  npm run demo -- --keep\n  npm run demo -- --without-agents\n\nExit status: 0 every step passed, 1 a step failed, 2 wrong usage, 130 interrupted.',
  )
  .exitOverride();

async function tell(cluster: Cluster, { withoutAgents }: Options, signal: AbortSignal): Promise<Result[]> {
  const scene: Scene = { cluster };
  const results: Result[] = [];
  for (const { title, steps } of chapters) {
    printChapter(title);
    for (const step of steps) {
      signal.throwIfAborted();
      const result = await runStep(step, scene, withoutAgents && step.needsAgents ? hopelessMs : step.withinMs);
      printResult(result);
      results.push(result);
    }
  }
  return results;
}

function printLeftUp({ kubeconfig }: Cluster): void {
  console.log(
    `\nThe cluster stays up. Look around:\n  export KUBECONFIG=${kubeconfig}\n  npm run --silent cluster -- --name demo kubectl get pods -A\nEnd it:\n  npm run --silent cluster -- --name demo down`,
  );
}

/** Fires on Ctrl-C. The handlers stay, because execa has one of its own that ends the process when it is the last. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => controller.abort(new Interrupted(name)));
  return controller.signal;
}

class Interrupted extends Error {}

/** Does not wait for what is under way: the cluster under it goes at once. */
async function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const interrupted = new Promise<never>((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason)),
  );
  return Promise.race([work, interrupted]);
}

async function main(options: Options): Promise<number> {
  const signal = interruption();
  const started = performance.now();
  const progress = (line: string): void =>
    printProgress(`[${((performance.now() - started) / 1000).toFixed(0).padStart(3)} s] ${line}`);
  const image = await productImage(progress);
  const cluster = await up({
    nodes: options.nodes,
    name: 'demo',
    images: [image],
    detached: options.keep,
    progress,
    signal,
  });
  let keep = false;
  const installAndTell = async (): Promise<Result[]> => {
    progress('installing the product: kubectl apply -k');
    await install(cluster, { withoutAgents: options.withoutAgents });
    return tell(cluster, options, signal);
  };
  try {
    const results = await unlessInterrupted(installAndTell(), signal);
    printVerdict(results);
    keep = options.keep;
    return results.every(({ reason }) => reason === undefined) ? 0 : 1;
  } finally {
    if (keep) printLeftUp(cluster);
    else await cluster.down();
  }
}

try {
  program.parse();
  process.exitCode = await main(program.opts<Options>());
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Interrupted) process.exitCode = 130;
  else throw error;
}
