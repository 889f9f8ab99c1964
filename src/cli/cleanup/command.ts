/** `proxyconfig cleanup`: its flags, its help, and the way to what it runs. */
import { Command } from 'commander';
import { exitCodes } from '../commands.ts';
import type { CleanupFlags } from './cleanup.ts';

export function cleanupCommand(): Command {
  return new Command('cleanup')
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
      const { runCleanup } = await import('./cleanup.ts');
      process.exitCode = await runCleanup(flags, process);
    });
}
