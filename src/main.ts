#!/usr/bin/env node
/**
 * @module The command line: arguments -> a command. Every command loads only what it needs, when it runs.
 */
import { Command, CommanderError, Option } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import {
  agentConfig,
  logLevels,
  operatorConfig,
  statusConfig,
  statusOutputs,
  UsageError,
  type AgentFlags,
  type OperatorFlags,
  type StatusFlags,
} from './config.ts';
import { proxyModes } from './api/nodeConfig.ts';
import type { CleanupFlags } from './cli/cleanup/cleanup.ts';
import type { RenderFlags } from './cli/render/render.ts';

const exitCodes = `
Exit status: 0 done; 1 failed, or the input is not valid; 2 wrong usage.`;

function program(): Command {
  const root = new Command('proxyconfig')
    .description('Serves Kubernetes Services on every node in place of kube-proxy, as ProxyConfig objects say.')
    .version(manifest.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help; also: proxyconfig COMMAND --help')
    .addHelpText('after', `${exitCodes}\nThe ProxyConfig's own fields: kubectl explain pxc.spec`)
    .exitOverride()
    .allowExcessArguments(false)
    .showHelpAfterError('(proxyconfig --help, or proxyconfig COMMAND --help, says more)');
  addAgent(root);
  addOperator(root);
  addStatus(root);
  addRender(root);
  addCleanup(root);
  return root;
}

function addAgent(root: Command): void {
  daemon(root.command('agent'), { health: '0.0.0.0:10256', metrics: '127.0.0.1:10249' })
    .description('Programs the kernel of this node and reports in its NodeProxy; one runs on every node.')
    .option('--node <name>', 'the Node that this is, as kubectl get nodes shows it (environment: NODE_NAME)')
    .option('--state-dir <dir>', 'where the last known good configuration is kept', '/var/lib/proxyconfig')
    .addHelpText(
      'after',
      `${exitCodes}

Stopping the agent leaves the node's rules in place; proxyconfig cleanup removes them.

Example, by hand on a node:
  proxyconfig agent --kubeconfig /etc/kubernetes/admin.conf --node "$(hostname)"`,
    )
    .action(async (flags: AgentFlags) => {
      const config = agentConfig(flags, manifest.version);
      const { runAgent } = await import('./agent/runAgent.ts');
      await runAgent(config, stopSignal());
    });
}

function addOperator(root: Command): void {
  daemon(root.command('operator'), { health: '0.0.0.0:8081', metrics: '127.0.0.1:8080' })
    .description(
      "Chooses the ProxyConfig that governs each node, hands it to the node and sums the nodes' status up; one runs in the cluster.",
    )
    .addHelpText(
      'after',
      `${exitCodes}

Example, outside of the cluster:
  proxyconfig operator --kubeconfig ~/.kube/config`,
    )
    .action(async (flags: OperatorFlags) => {
      const config = operatorConfig(flags, manifest.version);
      const { runOperator } = await import('./operator/runOperator.ts');
      await runOperator(config, stopSignal());
    });
}

/** What agent and operator have in common. */
function daemon(command: Command, addresses: { health: string; metrics: string }): Command {
  return command
    .option(
      '--kubeconfig <file>',
      "how to reach the API server; without it the Pod's service account, at KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT",
    )
    .option('--health-address <address>', 'where /healthz and /livez are served', addresses.health)
    .option('--metrics-address <address>', 'where /metrics is served', addresses.metrics)
    .option('--log-level <level>', logLevels.join(', '), 'info');
}

function addStatus(root: Command): void {
  root
    .command('status')
    .argument('[name]', 'one ProxyConfig; left out, all of them')
    .description(
      'Shows how far nodes are with their ProxyConfig, and which are not as wanted and why; also: kubectl proxyconfig status.',
    )
    .option(
      '-w, --watch',
      'go on showing changes until Ctrl-C: drawn in place on a terminal, otherwise one line per change',
    )
    .addOption(
      new Option('-o, --output <format>', 'with --watch, json is one document per line')
        .choices(statusOutputs)
        .default('text'),
    )
    .option(
      '--kubeconfig <file>',
      "how to reach the API server; without it as kubectl: KUBECONFIG, ~/.kube/config, or the Pod's service account",
    )
    .option('--context <name>', 'a context of the kubeconfig other than its current one')
    .addHelpText(
      'after',
      `
Colors are used on a terminal only, and not where NO_COLOR is set. With --watch, an API server that goes away is waited for.

Exit status: 0 every ProxyConfig is Ready; 1 not known (no answer, no such ProxyConfig); 2 wrong usage;
3 some ProxyConfig is not Ready, or there is none. When --watch is ended, as it was last seen.

Examples:
  proxyconfig status
  proxyconfig status default --watch
  kubectl proxyconfig status --context staging -o yaml
  proxyconfig status -o json | jq -r '.proxyConfigs[].problems[] | [.node, .reason, .message] | @tsv'

To wait in a script: kubectl wait --for=condition=Ready pxc/default --timeout=10m`,
    )
    .action(async (name: string | undefined, flags: StatusFlags) => {
      const config = statusConfig(flags, { name, version: manifest.version, isTerminal: process.stdout.isTTY });
      const { statusCommand } = await import('./cli/status/status.ts');
      process.exitCode = await statusCommand(config, process, stopSignal());
    });
}

function addRender(root: Command): void {
  root
    .command('render')
    .description('Prints the rules that the agent would load on an empty node, from manifests and without a cluster.')
    .requiredOption(
      '-f, --filename <file>',
      'manifests: a file, a directory (its *.yaml, *.yml and *.json) or - for standard input; may be repeated',
      collect,
    )
    .requiredOption('--node <name>', 'the Node to render for')
    .addOption(new Option('--mode <mode>', "render this mode instead of the ProxyConfig's").choices(proxyModes))
    .addOption(
      new Option('--family <family>', "one IP family only (default: the node's first for text, both for json)").choices(
        ['ipv4', 'ipv6'],
      ),
    )
    .addOption(
      new Option('-o, --output <format>', 'text: the inputs of the tools; json: [{"tool","args","family","input"}]')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addOption(
      new Option(
        '--tool <tool>',
        'the input of this tool alone, which can be piped into it (ipvs mode has several)',
      ).choices(['ipvsadm', 'ipset', 'iptables-restore', 'ip6tables-restore', 'ip']),
    )
    .addHelpText(
      'after',
      `
Reads ProxyConfig, Service, EndpointSlice and Node objects (YAML or JSON, several documents, Lists), fills in the API server's
defaults and checks them as it would; other kinds are ignored. The node's ProxyConfig is chosen as on a cluster; where none
matches, the built-in defaults hold. Where the manifests hold no Node at all, --node is taken as one without labels and addresses.
${exitCodes}

Examples:
  kubectl get pxc,svc,endpointslices,nodes -A -o yaml | proxyconfig render -f - --node node-1
  proxyconfig render -f manifests/ --node node-1 | iptables-restore --noflush
  proxyconfig render -f manifests/ --node node-1 --mode ipvs --tool ipvsadm | ipvsadm -R
  proxyconfig render -f manifests/ --node node-1 -o json | jq -r '.[] | select(.family=="ipv6").input'`,
    )
    .action(async (flags: RenderFlags) => {
      const { renderCommand } = await import('./cli/render/render.ts');
      process.exitCode = await renderCommand(flags, process);
    });
}

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

function addCleanup(root: Command): void {
  root
    .command('cleanup')
    .description('Removes every kernel object of ours from this node and says what it removed; stop the agent first.')
    .option(
      '--handover',
      'keep Services working, and remove only what kube-proxy would not know; start kube-proxy afterwards',
      false,
    )
    .addHelpText(
      'after',
      `${exitCodes}

Without --handover Services stop working on this node. Needs root. Rules of others are not touched, but those of a kube-proxy in
iptables mode carry the same names and go too; it writes them again when it runs. A second run removes nothing.`,
    )
    .action(async (flags: CleanupFlags) => {
      const { cleanupCommand } = await import('./cli/cleanup/cleanup.ts');
      process.exitCode = await cleanupCommand(flags, process);
    });
}

/** Fires on the first SIGTERM or SIGINT; a second one ends the process at once, as it does by default. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
  return stop.signal;
}

/** Commander prints its own errors itself. */
function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`proxyconfig: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof UsageError ? 2 : 1;
}

/** Ends the process when its readers have all that was written: a pipe holds 64 kB, and rules are longer. */
function end(status: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(status)));
}

// A reader that has seen enough (`proxyconfig render … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
await program()
  .parseAsync()
  .then(
    () => end(Number(process.exitCode ?? 0)),
    (error: unknown) => end(exitCodeFor(error)),
  );
