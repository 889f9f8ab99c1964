/** `proxyconfig operator`: its flags, its help, and the way to what it runs. */
import type { Command } from 'commander';
import { operatorConfig, type OperatorFlags } from '../../config.ts';
import { daemonCommand, exitCodes, type Program } from '../commands.ts';

export function operatorCommand({ version, stopSignal }: Program): Command {
  return daemonCommand('operator', { health: ':8081', metrics: 'localhost:8080' })
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
      const config = operatorConfig(flags, version);
      const { runOperator } = await import('../../operator/runOperator.ts');
      await runOperator(config, stopSignal());
    });
}
