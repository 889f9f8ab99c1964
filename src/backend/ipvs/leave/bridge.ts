/**
 * The rules that stand beside another mode's as long as addresses are on kube-ipvs0: from before the first rule of that
 * mode until the last address is gone. No full sync takes them for its own.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { Iptables, IptablesHost } from '../../../netfilter/xtables/iptables.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import { runTool } from '../../../netfilter/errors.ts';
import { differencesOf, findDifference, ownJumps } from '../../../netfilter/xtables/compareTables.ts';
import { readTables } from '../../../netfilter/xtables/readTables.ts';
import { restore } from '../../../netfilter/xtables/restore.ts';
import { selectIptables } from '../../../netfilter/xtables/variant.ts';
import { AppliedChains } from '../../iptables/plan/appliedChains.ts';
import { removalTransaction } from '../../iptables/plan/transaction.ts';
import { bridge } from '../../engine/kubeChains.ts';
import { findTools } from '../apply/kernel.ts';
import { readLeftovers } from './leftovers.ts';
import { formatRules } from '../plan/render.ts';
import { bridgeSets, planBridge } from '../plan/rules.ts';
import { firstMaxElements, setDefinition, setName } from '../plan/sets.ts';

/** Puts the bridge up where an address of this mode stands, and makes the sets that it asks. Throws a SyncError. */
export async function buildBridge(family: IPFamily, host: IptablesHost, signal: AbortSignal): Promise<void> {
  const { addresses, sets } = await readLeftovers(family, host);
  if (addresses.size === 0) return;
  const { ipset } = await findTools(host);
  const missing = bridgeSets
    .filter((id) => !sets.has(id))
    .map((id) => `create ${setName(id, family)} ${setDefinition(id, family, firstMaxElements)}\n`);
  if (missing.length > 0) await runTool('ipset', () => ipset.restore(missing, signal));
  await putUp(await selectIptables(family, {}, host), family, signal);
}

async function putUp(iptables: Iptables, family: IPFamily, signal: AbortSignal): Promise<void> {
  const plan = planBridge({ family });
  const chains = new AppliedChains(plan);
  const view = await readTables(iptables, signal);
  if (findDifference(view, chains) === undefined) return;
  const differences = { ...differencesOf(iptables, view, chains), staleJumps: [], stale: () => [] };
  await restore(iptables, { input: [formatRules(plan, chains, differences)], signal });
}

/** The input of iptables-restore that takes the bridge away; undefined where it does not stand. */
export function findBridge(view: TablesView): string | undefined {
  const jumps = ownJumps(view).filter(({ to }) => to === bridge);
  const chains = [...view.chains.values()].filter(({ name }) => name === bridge);
  const input = removalTransaction(
    jumps,
    chains.map(({ table, name }) => ({ table, name, keep: false })),
  );
  return input === '' ? undefined : input;
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
