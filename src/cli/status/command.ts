/** `proxyconfig status`: its flags, its help, and the way to what it runs. */
import { Command, Option } from 'commander';
import { statusConfig, statusOutputs, type StatusFlags } from '../../config.ts';
import type { Program } from '../commands.ts';

export function statusCommand({ version, stopSignal }: Program): Command {
  return new Command('status')
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
      const config = statusConfig(flags, { name, version, isTerminal: process.stdout.isTTY });
      const { runStatus } = await import('./status.ts');
      process.exitCode = await runStatus(config, process, stopSignal());
    });
}
