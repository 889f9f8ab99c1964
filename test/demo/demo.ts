/**
 * @module `npm run demo`: a real cluster on this machine, the product installed in it, and the story of test/demo/steps.ts told step by step.
 *
 * Exit status: 0 every step passed, 1 a step failed, 2 wrong usage.
 */
import { Command, CommanderError } from 'commander';
import { type Cluster, up } from '../cluster/cluster.ts';
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

const program = new Command('npm run demo --')
  .description('Brings up a real Kubernetes cluster on this machine, installs the product, and shows Services working, step by step.')
  .option('--keep', 'leave the cluster up afterwards and say how to use it', false)
  .option('--without-agents', 'install the operator alone: the packet steps must FAIL', false)
  .option('--nodes <count>', 'nodes of the cluster', (text) => Number.parseInt(text, 10), 2)
  .addHelpText('after', '\nExamples:\n  npm run demo\n  npm run demo -- --keep\n  npm run demo -- --without-agents\n\nExit status: 0 every step passed, 1 a step failed, 2 wrong usage.')
  .exitOverride();

async function tell(cluster: Cluster, { withoutAgents }: Options): Promise<Result[]> {
  const scene: Scene = { cluster };
  const results: Result[] = [];
  for (const { title, steps } of chapters) {
    printChapter(title);
    for (const step of steps) {
      const result = await runStep(step, scene, withoutAgents && step.needsAgents ? hopelessMs : step.withinMs);
      printResult(result);
      results.push(result);
    }
  }
  return results;
}

function printLeftUp({ kubeconfig }: Cluster): void {
  console.log(`\nThe cluster stays up. Look around:\n  export KUBECONFIG=${kubeconfig}\n  npm run --silent cluster -- kubectl get pods -A\nEnd it:\n  npm run --silent cluster -- down`);
}

async function main(options: Options): Promise<number> {
  const started = performance.now();
  const progress = (line: string): void => printProgress(`[${((performance.now() - started) / 1000).toFixed(0).padStart(3)} s] ${line}`);
  const cluster = await up({ nodes: options.nodes, detached: options.keep, progress });
  let keep = options.keep;
  const interrupted = (): void => {
    keep = false;
    process.exitCode = 130;
    void cluster.down().finally(() => process.exit());
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    progress('installing the product: kubectl apply -k');
    await install(cluster, { withoutAgents: options.withoutAgents, progress });
    const results = await tell(cluster, options);
    printVerdict(results);
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
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
