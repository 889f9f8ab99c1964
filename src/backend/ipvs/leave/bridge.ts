/**
 * The rules that stand beside another mode's as long as addresses are on kube-ipvs0: from before the first rule of that
 * mode until the last address is gone. No full sync takes them for its own.
 */
import { runTool } from '../../../netfilter/errors.ts';
import { differencesOf, findDifference } from '../../../netfilter/xtables/compareTables.ts';
import { FixedChains } from '../../../netfilter/xtables/fixedChains.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { readTables } from '../../../netfilter/xtables/tools/readTables.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';
import { selectIptables, type XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import { fullTransaction } from '../../../netfilter/xtables/transaction.ts';
import { findTools } from '../apply/kernel.ts';
import { bridge } from '../plan/owned.ts';
import { bridgeSets, planBridge } from '../plan/rules.ts';
import { definitionOf, firstMaxElements, setName } from '../plan/sets.ts';
import { findRemoval } from './chainRemoval.ts';
import { readLeftovers } from './leftovers.ts';

/** Puts the bridge up where an address of this mode stands, and makes the sets that it asks. Throws a SyncError. */
export async function buildBridge(node: XtablesNode, signal: AbortSignal): Promise<void> {
  const { family, host } = node;
  const { addresses, sets } = await readLeftovers(node);
  if (addresses.size === 0) return;
  const { ipset } = await findTools(host);
  const missing = bridgeSets
    .filter((id) => !sets.has(id))
    .map((id) => `create ${setName(id, family)} ${definitionOf(id, family, firstMaxElements)}\n`);
  if (missing.length > 0) await runTool('ipset', () => ipset.restore(missing, signal));
  await putUp(await selectIptables(node, 'Auto'), node, signal);
}

async function putUp(iptables: Iptables, { family, ownership }: XtablesNode, signal: AbortSignal): Promise<void> {
  const chains = new FixedChains(planBridge({ family }));
  const view = await readTables(iptables, ownership, signal);
  if (findDifference(view, chains) === undefined) return;
  const differences = { ...differencesOf(iptables, view, chains), staleJumps: [], stale: () => [] };
  await restore(iptables, { input: fullTransaction(chains, differences), signal });
}

/** The input of iptables-restore that takes the bridge away; undefined where it does not stand. */
export function findBridge(view: TablesView): string | undefined {
  return findRemoval(view, bridge);
}

/** Returns the names of what was removed. Throws a SyncError. */
export async function removeBridge(
  iptables: Iptables,
  view: TablesView,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const input = findBridge(view);
  if (input === undefined) return [];
  await restore(iptables, { input: [input], ...(signal && { signal }) });
  return [`${iptables.variant} chains ${bridge}`];
}
