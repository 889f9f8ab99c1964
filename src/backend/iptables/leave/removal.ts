/**
 * Takes rules of ours away: all of them, or those that this mode left behind while another one serves.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { Iptables, IptablesHost } from '../../../netfilter/xtables/iptables.ts';
import { ipvs } from '../../engine/kubeChains.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import { ownJumps } from '../../../netfilter/xtables/compareTables.ts';
import { readTables } from '../../../netfilter/xtables/readTables.ts';
import { readVariants } from '../../../netfilter/xtables/variant.ts';
import { restore } from '../../../netfilter/xtables/restore.ts';
import { removalTransaction } from '../plan/transaction.ts';

/**
 * Takes everything of ours out, of every mode, and returns the names of what was removed. Chains that somebody else's
 * rules lead to stay, so that those rules stay byte for byte. Throws a SyncError.
 */
export async function removeAll(iptables: Iptables): Promise<readonly string[]> {
  const view = await readTables(iptables);
  const own = ownJumps(view);
  const foreign = new Set(
    view.references.filter((reference) => !own.includes(reference)).map(({ table, to }) => `${table} ${to}`),
  );
  const chains = [...view.chains.values()].filter(({ table, name }) => !foreign.has(`${table} ${name}`));
  const input = removalTransaction(
    own,
    chains.map(({ table, name }) => ({ table, name, keep: false })),
  );
  if (input === '') return [];
  await restore(iptables, { input: [input] });
  const removed = [
    ...own.map(({ table, from, to }) => `jump ${from} -> ${to} of table ${table}`),
    ...chains.map(({ table, name }) => `chain ${name} of table ${table}`),
  ];
  return removed.map((what) => `${iptables.variant} ${what}`);
}

/**
 * Takes out what this mode left while another one serves, and returns the names of what was removed. Throws a
 * SyncError.
 *
 * Both modes share chains, so in the variant of iptables that the other mode writes, its sync has replaced this one's
 * rules already. In the other variant nobody has.
 */
export async function drainAndRemove(family: IPFamily, host: IptablesHost): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(family, host)) {
    if (!servesIpvs(view)) removed.push(...(await removeAll(iptables)));
  }
  return removed;
}

/**
 * Whether the chains of ours are ipvs mode's here: only that mode has KUBE-IPVS-FILTER. It may stand empty because
 * somebody else's rule leads there.
 */
export function servesIpvs(view: TablesView): boolean {
  const rules = view.chains.get(`filter ${ipvs.filter}`)?.rules ?? 0;
  return rules > 0 || ownJumps(view).some(({ to }) => to === ipvs.filter);
}
