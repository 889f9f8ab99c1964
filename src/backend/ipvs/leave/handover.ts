/**
 * The way back to kube-proxy. In ipvs mode it does not know KUBE-EXTERNAL-SERVICES, whose refusals would then stay for
 * Services that have endpoints again, nor KUBE-SERVICES in filter, which leads to the check of unused cluster IPs. All other chains that it needs it writes anew, in either mode; those of single
 * Services it leaves standing, and nothing leads there. Their tree of dispatch is flattened by iptables mode's
 * hand-over, whichever mode made it.
 */
import type { XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import { readVariants } from '../../../netfilter/xtables/tools/variant.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';
import { externalServices, services } from '../../engine/kubeChains.ts';
import { isServing } from '../plan/owned.ts';
import { findRemoval } from './chainRemoval.ts';

const unknownToKubeProxy: readonly string[] = [externalServices, services];

/** Returns the names of what was removed. The agent must have been stopped. Throws a SyncError. */
export async function handOver(node: XtablesNode): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(node)) {
    for (const chain of isServing(view) ? unknownToKubeProxy : []) {
      const input = findRemoval(view, chain, 'filter');
      if (input === undefined) continue;
      await restore(iptables, { input: [input] });
      removed.push(`${iptables.variant} chain ${chain} of table filter`);
    }
  }
  return removed;
}
