/**
 * Whether iptables takes the rules that Services get under a configuration.
 */
import { InvalidRule } from '../../../netfilter/checked.ts';
import { isRefusal, SyncError } from '../../../netfilter/errors.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';
import { restoreArguments } from '../../../netfilter/xtables/transaction.ts';

/** `render`: the input of iptables-restore for sample Services. Changes nothing. Throws a SyncError. */
export async function tryRules(iptables: Iptables, render: () => string): Promise<void> {
  try {
    await test(iptables, render());
  } catch (cause) {
    if (!isRefusal(cause) && !(cause instanceof InvalidRule)) throw cause;
    // A tool that takes no tables at all says nothing of the configuration.
    await test(iptables, '*nat\nCOMMIT\n*filter\nCOMMIT\n');
    throw new SyncError('ConfigRefused', configRefused, { cause });
  }
}

const configRefused =
  'iptables-restore does not take the rules that Services get under this configuration; correct localTraffic or nodePorts.addresses';

function test(iptables: Iptables, input: string): Promise<void> {
  return restore(iptables, { args: ['--test', ...restoreArguments], input: [input] });
}
