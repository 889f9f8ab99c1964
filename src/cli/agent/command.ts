/** `proxyconfig agent`: its flags, its help, and the way to what it runs. */
import type { Command } from 'commander';
import { agentConfig, type AgentFlags } from '../../config.ts';
import { daemonCommand, exitCodes, type Program } from '../commands.ts';

export function agentCommand({ version, stopSignal }: Program): Command {
  return daemonCommand('agent', { health: ':10256', metrics: 'localhost:10249' })
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
      const config = agentConfig(flags, version);
      const { runAgent } = await import('../../agent/runAgent.ts');
      await runAgent(config, stopSignal());
    });
}
