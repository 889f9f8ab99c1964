/**
 * Takes out what this mode left behind while another one serves.
 */
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import { removeAll } from '../../../netfilter/xtables/tools/removeAll.ts';
import { readVariants, type XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';

/**
 * Returns the names of what was removed. Throws a SyncError.
 *
 * Modes share chains, so in a variant of iptables that another mode has rules in (`isServedByOther`), its sync has
 * replaced this one's rules already. In any other variant nobody has.
 */
export async function removeUnserved(
  node: XtablesNode,
  isServedByOther: (view: TablesView) => boolean,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(node)) {
    if (!isServedByOther(view)) removed.push(...(await removeAll(iptables, node.ownership)));
  }
  return removed;
}
