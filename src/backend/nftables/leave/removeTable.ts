/**
 * Takes away what kube-proxy in nftables mode left: one table in each IP family. This program does not serve in that
 * mode.
 */
import { deleteTable } from '../../../netfilter/nft/tools/table.ts';
import type { XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import type { DrainResult, RemovalRequest } from '../../backend.ts';

/** As kube-proxy names it (KEP-3866). */
const table = 'kube-proxy';

/**
 * Established connections are translated by connection tracking, which the deletion leaves alone: nothing drains. Throws
 * a SyncError.
 */
export async function removeTable(
  node: Pick<XtablesNode, 'family' | 'host'>,
  request: RemovalRequest,
): Promise<DrainResult> {
  const wasThere = await deleteTable(table, node, request);
  return { removed: wasThere ? [`nft table ${table}`] : [], draining: 0 };
}
