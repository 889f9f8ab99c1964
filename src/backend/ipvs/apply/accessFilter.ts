/**
 * What must stand before the first address does: KUBE-IPVS-FILTER, and the bridge beside whatever serves until all
 * rules of this mode are there.
 */
import { differencesOf, findDifference } from '../../../netfilter/xtables/compareTables.ts';
import { FixedChains } from '../../../netfilter/xtables/fixedChains.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';
import { fullTransaction } from '../../../netfilter/xtables/transaction.ts';
import type { RulesWriter } from '../../engine/apply/rulesWriter.ts';
import type { SyncWork } from '../../engine/syncWork.ts';
import type { IpvsContext } from '../plan/context.ts';
import { accessFilter, isServing } from '../plan/owned.ts';
import { planAccessFilter, planBridge } from '../plan/rules.ts';

export interface AccessFilterOptions {
  readonly iptables: Iptables;
  readonly rules: RulesWriter;
  readonly context: IpvsContext;
  readonly work: SyncWork;
}

/** What the tables hold when the access filter stands. */
export interface ExistingRules {
  readonly view: TablesView;
  /** Whether this mode does not serve yet: something else may, and goes on until all rules are written. */
  readonly takesOver: boolean;
}

/**
 * Other chains of ours are left alone until everything is there, and so is an access filter beside rules of this mode:
 * those that another agent wrote may lead to addresses that only its own filter lets through. Throws a SyncError.
 */
export async function ensureAccessFilter(options: AccessFilterOptions): Promise<ExistingRules> {
  const { iptables, rules, context, work } = options;
  const view = await rules.read(iptables, work);
  const takesOver = !isServing(view);
  const filter = planAccessFilter(context);
  if (!takesOver && isClosed(view, filter.jumps)) return { view, takesOver };
  const bridge = takesOver ? planBridge(context) : { jumps: [], chains: [] };
  const chains = new FixedChains({
    jumps: [...filter.jumps, ...bridge.jumps],
    chains: [...filter.chains, ...bridge.chains],
  });
  if (findDifference(view, chains) === undefined) return { view, takesOver };
  await writeAdditions(chains, view, options);
  return { view: await rules.read(iptables, work), takesOver };
}

/** Whether an access filter stands, whatever it lets through. */
function isClosed(view: TablesView, jumps: FixedChains['jumps']): boolean {
  const filter = view.chains.get({ table: 'filter', name: accessFilter });
  return (filter?.rules ?? 0) > 0 && findDifference(view, new FixedChains({ jumps, chains: [] })) === undefined;
}

async function writeAdditions(
  chains: FixedChains,
  view: TablesView,
  { iptables, work: { count, signal } }: AccessFilterOptions,
): Promise<void> {
  const differences = { ...differencesOf(iptables, view, chains), staleJumps: [], stale: () => [] };
  const input = [...fullTransaction(chains, differences)];
  if (input.length > 0) await count.run(() => restore(iptables, { input: count.countRules(input), signal }));
}
