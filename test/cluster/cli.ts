/**
 * `npm run cluster`: the local cluster by hand.
 * @module
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { networkFamilies, type NetworkFamily } from './addresses.ts';
import { attach, defaultClusterName, down, up } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { ensureBinaries } from './binaries.ts';
import { clusterPaths } from './clusterState.ts';
import { enterNetwork, runOnNode } from './namespaces.ts';
import { progressReporter } from './progress.ts';

const examples = `
Examples:
  npm run cluster -- up --nodes 3           start a cluster; it stays until "down"
  npm run cluster -- up --family ipv6       one without IPv4: machines, Pods and Services
  KUBERNETES=1.36.3 npm run cluster -- up   one of another version
  npm run cluster -- kubectl get pods -A    ask it
  npm run cluster -- exec node1 nft list ruleset
  npm run cluster -- exec outside curl -s 10.89.0.11:30080
  npm run cluster -- load image.tar         load an image archive on every node
  npm run cluster -- down                   remove all of it

No Service works until a proxy runs on the nodes: deploy the product, or try another one by "exec".`;

interface NameOption {
  readonly name: string;
}

interface UpSettings {
  readonly nodes: number;
  readonly family: NetworkFamily;
}

async function bringUp({ nodes, family, name }: NameOption & UpSettings): Promise<number> {
  const running = await attach(name);
  if (running) {
    console.log(
      `cluster "${name}" is already up: ${running.nodes.length} nodes, family ${running.family}, Kubernetes ${running.kubernetes}`,
    );
    explainUse(running);
    return 0;
  }
  const progress = progressReporter();
  const interruption = abortOnSignals();
  try {
    const cluster = await up({
      nodes,
      family,
      name,
      detached: true,
      progress: progress.line,
      signal: interruption.signal,
    });
    progress.line(`cluster "${name}" is up`);
    explainUse(cluster);
    return 0;
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    console.error(`cluster "${name}" is gone`);
    // Builds for the cache end with this process.
    return process.exit(interruption.exitCode());
  }
}

function abortOnSignals(): { signal: AbortSignal; exitCode: () => number } {
  const controller = new AbortController();
  let exitCode = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Not `once`: execa, too, listens for signals, and ends this process when it is the last one that does.
    process.on(signal, () => {
      if (controller.signal.aborted) return;
      exitCode = 128 + constants.signals[signal];
      console.error(`\n${signal}: removing what there is of the cluster`);
      controller.abort();
    });
  }
  return { signal: controller.signal, exitCode: () => exitCode };
}

function explainUse(cluster: Cluster): void {
  const command =
    cluster.name === defaultClusterName ? 'npm run cluster --' : `npm run cluster -- --name ${cluster.name}`;
  const machines = [...cluster.nodes, cluster.outside];
  console.log(`
  export KUBECONFIG=${cluster.kubeconfig}
  ${command} kubectl get pods -A
  ${command} exec node1 ip route
  ${command} down

${machines.map(({ name, addresses }) => `  ${name.padEnd(8)} ${addresses.map((address) => address.padEnd(12)).join(' ')}`.trimEnd()).join('\n')}
  logs     ${cluster.logs}`);
}

async function takeDown({ name }: NameOption): Promise<number> {
  await down(name);
  console.log(`cluster "${name}" is gone`);
  return 0;
}

async function runKubectl(args: readonly string[], { name }: NameOption): Promise<number> {
  const { kubernetes } = await requireCluster(name);
  const { kubectl } = await ensureBinaries({ which: ['kubectl'], kubernetes });
  return runInTerminal([kubectl, ...args], { KUBECONFIG: clusterPaths(name).kubeconfig });
}

async function runOnMachine(machine: string, command: readonly string[], { name }: NameOption): Promise<number> {
  const cluster = await requireCluster(name);
  if (machine === 'outside') return runInTerminal([...enterNetwork(cluster.outside.pid), ...command]);
  const node = cluster.nodes.find((candidate) => candidate.name === machine);
  if (node === undefined) {
    throw new Error(
      `no machine "${machine}": use ${[...cluster.nodes.map((candidate) => candidate.name), 'outside'].join(', ')}`,
    );
  }
  return runInTerminal([...runOnNode(node.pid), ...command]);
}

async function load(archive: string, { name }: NameOption): Promise<number> {
  const cluster = await requireCluster(name);
  await cluster.loadImage(archive);
  return 0;
}

async function requireCluster(name: string): Promise<Cluster> {
  const cluster = await attach(name);
  if (cluster === undefined) throw new Error(`cluster "${name}" is not up: npm run cluster -- --name ${name} up`);
  return cluster;
}

/** With this terminal's own input and output, so that editors, pagers and shells work; answers the exit code. */
async function runInTerminal(
  [file = '', ...args]: readonly string[],
  env: Record<string, string> = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    // The terminal sends Ctrl-C to both; the child decides what it means.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

function nodeCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('use a whole number from 1 on');
  return count;
}

function familyOption(): Option {
  return new Option('--family <family>', 'what machines, Pods and Services have addresses of')
    .choices(Object.keys(networkFamilies))
    .default('dual' satisfies NetworkFamily);
}

/** Subcommands take the name before or after their own. */
function chosen(program: Command, options: Partial<NameOption> = {}): NameOption {
  return { name: options.name ?? program.opts<NameOption>().name };
}

function createProgram(): Command {
  const program = new Command('npm run cluster --')
    .description('A real Kubernetes cluster on this machine, in namespaces, without a service proxy. Needs root.')
    .option(nameFlag, 'which cluster; several run side by side', defaultClusterName)
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText('after', examples);
  addLifeCycle(program);
  addUse(program);
  return program;
}

const nameFlag = '--name <name>';

function addLifeCycle(program: Command): void {
  program
    .command('up')
    .description('start a cluster that stays until "down"')
    .option('--nodes <count>', 'how many nodes', nodeCount, 2)
    .addOption(familyOption())
    .option(nameFlag, 'which cluster')
    .action((options: Partial<NameOption> & UpSettings) =>
      finish(bringUp({ ...options, ...chosen(program, options) })),
    );
  program
    .command('down')
    .description('remove the cluster and all that it left')
    .option(nameFlag, 'which cluster')
    .action((options: Partial<NameOption>) => finish(takeDown(chosen(program, options))));
}

/** What follows the command's own arguments is another program's business, options included. */
function addUse(program: Command): void {
  program
    .command('kubectl')
    .description('run kubectl as an administrator')
    .argument('<arguments...>')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action((args: string[]) => finish(runKubectl(args, chosen(program))));
  program
    .command('exec')
    .description('run a command on a node, or on the client outside')
    .argument('<machine>')
    .argument('<command...>')
    .passThroughOptions()
    .allowUnknownOption()
    .action((machine: string, command: string[]) => finish(runOnMachine(machine, command, chosen(program))));
  program
    .command('load')
    .description('load an image archive on every node')
    .argument('<archive>')
    .option(nameFlag, 'which cluster')
    .action((archive: string, options: Partial<NameOption>) => finish(load(archive, chosen(program, options))));
}

async function finish(exitCode: Promise<number>): Promise<void> {
  process.exitCode = await exitCode;
}

async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
  }
}

await main(process.argv.slice(2));
