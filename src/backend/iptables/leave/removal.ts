/**
 * Takes out what this mode left behind while another one serves.
 */
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import { removeFromVariants } from '../../../netfilter/xtables/tools/removeAll.ts';
import { readVariants, type XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import type { RemovalRequest } from '../../backend.ts';

/**
 * Returns the names of what was removed, or in a dry run would be. Throws a SyncError.
 *
 * Modes share chains, so in a variant of iptables that another mode has rules in (`isServedByOther`), its sync has
 * replaced this one's rules already. In any other variant nobody has.
 */
export async function removeUnserved(
  node: XtablesNode,
  isServedByOther: (view: TablesView) => boolean,
  request: RemovalRequest,
): Promise<readonly string[]> {
  const unserved = (await readVariants(node)).filter(({ view }) => !isServedByOther(view));
  return removeFromVariants(unserved, node, request);
}
