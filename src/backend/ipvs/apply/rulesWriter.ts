/**
 * Writes the iptables rules of ipvs mode in the order in which they may be made: first what keeps its addresses from
 * opening a port of the node, then, when all that they lead to is there, the rest.
 */
import { verificationFailed } from '../../../netfilter/errors.ts';
import { differencesOf, findDifference } from '../../../netfilter/xtables/compareTables.ts';
import { FixedChains } from '../../../netfilter/xtables/fixedChains.ts';
import type { Ownership } from '../../../netfilter/xtables/ownership.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { readTables } from '../../../netfilter/xtables/tools/readTables.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';
import { type Differences, fullTransaction } from '../../../netfilter/xtables/transaction.ts';
import type { SyncWork } from '../../engine/syncWork.ts';
import { findBridge, removeBridge } from '../leave/bridge.ts';
import type { IpvsContext } from '../plan/context.ts';
import { isServing } from '../plan/owned.ts';
import { planAccessFilter, planBridge, planRules } from '../plan/rules.ts';

export interface RulesWriterOptions {
  readonly iptables: Iptables;
  readonly ownership: Ownership;
  readonly context: IpvsContext;
  readonly work: SyncWork;
}

/** What the tables hold when the access filter stands. */
export interface ExistingRules {
  readonly view: TablesView;
  /** Whether this mode does not serve yet: something else may, and goes on until all rules are written. */
  readonly takesOver: boolean;
}

/** Of one sync. All methods throw SyncErrors. */
export class RulesWriter {
  readonly #options: RulesWriterOptions;

  constructor(options: RulesWriterOptions) {
    this.#options = options;
  }

  /** Must stand before the first address does. Other chains of ours are left alone until everything is there. */
  async ensureAccessFilter(): Promise<ExistingRules> {
    const { iptables, context } = this.#options;
    const view = await this.#read();
    const takesOver = !isServing(view);
    const accessFilter = planAccessFilter(context);
    const bridge = takesOver ? planBridge(context) : { jumps: [], chains: [] };
    const chains = new FixedChains({
      jumps: [...accessFilter.jumps, ...bridge.jumps],
      chains: [...accessFilter.chains, ...bridge.chains],
    });
    if (findDifference(view, chains) === undefined) return { view, takesOver };
    await this.#restore(chains, { ...differencesOf(iptables, view, chains), staleJumps: [], stale: () => [] });
    return { view: await this.#read(), takesOver };
  }

  /**
   * Writes all rules, reads them back, and takes the bridge away. Returns what they are. What another mode put into
   * filter would refuse what nat leads to ip_vs, so nat is last.
   */
  async writeAll(view: TablesView): Promise<FixedChains> {
    const { iptables, context, work } = this.#options;
    const chains = new FixedChains(planRules(context));
    await this.#restore(chains, { ...differencesOf(iptables, view, chains), tables: ['filter', 'mangle', 'nat'] });
    const after = await this.#read();
    const difference = findDifference(after, chains);
    if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
    if (findBridge(after) !== undefined) await work.count.run(() => removeBridge(iptables, after, work.signal));
    return chains;
  }

  #read(): Promise<TablesView> {
    const { iptables, ownership, work } = this.#options;
    return work.count.run(() => readTables(iptables, ownership, work.signal));
  }

  async #restore(chains: FixedChains, differences: Differences): Promise<void> {
    const { iptables, work } = this.#options;
    const input = [...fullTransaction(chains, differences)];
    if (input.length === 0) return;
    await work.count.run(() => restore(iptables, { input: work.count.countRules(input), signal: work.signal }));
  }
}
