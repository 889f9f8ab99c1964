/**
 * The way back to kube-proxy. In ipvs mode it does not know KUBE-EXTERNAL-SERVICES, whose refusals would then stay for
 * Services that have endpoints again. All other chains that it needs it writes anew, in either mode; those of single
 * Services it leaves standing, and nothing leads there. Their tree of dispatch is flattened by iptables mode's
 * hand-over, whichever mode made it.
 */
import type { XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import { readVariants } from '../../../netfilter/xtables/tools/variant.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';
import { externalServices } from '../../engine/kubeChains.ts';
import { isServing } from '../plan/owned.ts';
import { findRemoval } from './chainRemoval.ts';

/** Returns the names of what was removed. The agent must have been stopped. Throws a SyncError. */
export async function handOver(node: XtablesNode): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(node)) {
    const input = isServing(view) ? findRemoval(view, externalServices) : undefined;
    if (input === undefined) continue;
    await restore(iptables, { input: [input] });
    removed.push(`${iptables.variant} chain ${externalServices} of table filter`);
  }
  return removed;
}
