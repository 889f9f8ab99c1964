/** `proxyconfig render`: its flags, its help, and the way to what it runs. */
import { Command, Option } from 'commander';
import { proxyModes } from '../../api/nodeConfig.ts';
import { exitCodes } from '../commands.ts';
import type { RenderFlags } from './render.ts';

export function renderCommand(): Command {
  return new Command('render')
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
    .option('--tool <tool>', 'the input of this tool alone, which can be piped into it (ipvs mode has several)')
    .addHelpText(
      'after',
      `
Reads ProxyConfig, Service, EndpointSlice and Node objects (YAML or JSON, several documents, Lists), fills in the API server's
defaults and checks them as it would; other kinds are ignored. The node's ProxyConfig is chosen as on a cluster; where none
matches, the built-in defaults hold. Where the manifests hold no Node at all, --node is taken as one without labels and addresses.
${exitCodes}

Examples:
  kubectl get pxc,svc,endpointslices,nodes,servicecidrs -A -o yaml | proxyconfig render -f - --node node-1
  proxyconfig render -f manifests/ --node node-1 | iptables-restore --noflush
  proxyconfig render -f manifests/ --node node-1 --mode ipvs --tool ipvsadm | ipvsadm -R
  proxyconfig render -f manifests/ --node node-1 -o json | jq -r '.[] | select(.family=="ipv6").input'`,
    )
    .action(async (flags: RenderFlags) => {
      const { runRender } = await import('./render.ts');
      process.exitCode = await runRender(flags, process);
    });
}

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}
