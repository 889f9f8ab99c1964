/**
 * What the kernel holds of ours, as far as this process knows, and what a change makes of it.
 *
 * The model. A ServiceChains is filled once with all Services (`fill`, then `finishFill`), while the transaction that
 * writes them is made. From then on `change` takes changed Services over and gives a ChangeSet: the chains to write,
 * the rules to insert and to remove, and the chains to delete. The object describes the kernel only after that
 * transaction was committed. After a failure its owner throws it away, and the next sync reads the tables and fills a
 * new one.
 *
 * Two kinds of chains, beside the fixed ones (FixedChains), which are never part of a change:
 *
 * - the chains of a Service, each of one Service alone;
 * - dispatch chains, which all Services put rules into. Rules of the plan itself stay behind those of the Services.
 *
 * What it is to do:
 *
 * 1. The ChangeSet is as large as what changes, however many Services there are.
 * 2. After any changes the kernel holds what one full sync writes: same chains, same rules, same order.
 * 3. Tens of thousands of endpoints take little memory.
 * 4. Counts and hash of all that the kernel holds are there at any time.
 *
 * How:
 *
 * 1. A Service's chains before and after are compared by their digests, and its dispatch rules as texts. Only what is
 *    different goes into the ChangeSet.
 * 2. A dispatch rule's place depends on its text alone (`compareDispatch`), found by binary search in the list of its
 *    chain. Frontends, the rules that lead from an address, are in a list while they are few, and in the buckets of a
 *    DispatchTree when they are many.
 * 3. Of a chain nothing is kept but name, number of rules and digest, all chains of a Service in one text
 *    (`packedChains.ts`); of rules, only the texts of the dispatch.
 * 4. The hash is the sum of all digests, so that it does not depend on an order and is kept by adding and subtracting.
 *
 * Positions: the insertions of a ChangeSet are right when they are made in its order before any of its removals, so
 * that what adds to filter can go before nat, and what takes away from it after.
 *
 * Concurrency: owned by one backend, called by one sync at a time. A ChangeSet is data and stays as it is.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ServiceKey } from '../../../model/service.ts';
import type { ChainId, ChainSize, DesiredChains, Jump, Table } from '../../../netfilter/xtables/chain.ts';
import { FixedChains } from '../../../netfilter/xtables/fixedChains.ts';
import { digestOf, formatChain, type FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
import { unpackChains } from '../../../netfilter/xtables/packedChains.ts';
import { hexDigest, RulesTally } from '../../../netfilter/xtables/rulesTally.ts';
import { ClusterIPs, isClusterIPRule } from './clusterIPs.ts';
import { checkKey, dispatchKey, firstNotBefore, frontendsKey } from './dispatchLists.ts';
import type { TreeChange } from './dispatchTree.ts';
import { DispatchTree, needsTree } from './dispatchTree.ts';
import type { FormattedDispatchRule, FormattedServicePort } from './format.ts';
import { compareDispatch } from './format.ts';
import { isFrontend } from './frontend.ts';
import type { DispatchPlan } from './plan.ts';
import type { ServiceEntry } from './serviceEntry.ts';
import { entryOf, missingFrom, noEntry, staleChains, withChains, writtenChains } from './serviceEntry.ts';

/** What a transaction has to do. */
export interface ChangeSet {
  /** New chains and those with other rules than before; what is referred to comes first. */
  readonly written: readonly FormattedChain[];
  /** In the order in which their positions are right. */
  readonly inserted: readonly Insertion[];
  readonly removed: readonly FormattedDispatchRule[];
  /** Chains to delete. */
  readonly stale: readonly ChainId[];
  /** The same of filter, where unused cluster IPs are checked: after nat, which is to have the packets first. */
  readonly check: TreeChange;
}

export interface Insertion {
  readonly rule: FormattedDispatchRule;
  /** In its chain; 1 is the first. */
  readonly position: number;
}

/** All of ours that this process wrote, in one IP family. */
export class ServiceChains implements DesiredChains {
  readonly #services = new Map<ServiceKey, ServiceEntry>();
  /** What stands in the dispatch chains, in order; without the frontends while they have a tree. */
  readonly #dispatch = new Map<string, FormattedDispatchRule[]>();
  /** All frontends, whether their buckets have chains or not. */
  readonly #frontends = new DispatchTree();
  readonly #clusterIPs = new ClusterIPs();
  #hasTree: boolean;
  readonly fixed: FixedChains;
  /** The dispatch chains with the rules that stay behind those of the Services. */
  readonly #tails: readonly FormattedChain[];
  readonly #tally = new RulesTally();
  #endpoints = 0;
  #served = 0;

  /** `hasTree`: whether the kernel has a tree of dispatch, which goes at fewer frontends than it comes at. */
  constructor({ jumps, chains, dispatch }: DispatchPlan, hasTree = false) {
    this.#hasTree = hasTree;
    this.fixed = new FixedChains({ jumps, chains });
    this.#tails = dispatch.map(formatChain);
    for (const chain of this.#tails) this.#tally.addChain(chain);
  }

  get jumps(): readonly Jump[] {
    return this.fixed.jumps;
  }

  /** Number of Services that packets are led to, or refused for. */
  get services(): number {
    return this.#served;
  }

  /** Number of endpoints that Services lead to. */
  get endpoints(): number {
    return this.#endpoints;
  }

  /** Number of our rules in our chains; the jumps of the kernel's own chains are not among them. */
  get rulesByTable(): Readonly<Record<Table, number>> {
    const [fixed, own] = [this.fixed.tally.byTable, this.#tally.byTable];
    // One jump leads to each bucket.
    const nat = fixed.nat + own.nat + this.#frontends.chainSizes.size;
    const filter = fixed.filter + own.filter + this.#clusterIPs.chainSizes.size;
    return { filter, nat, mangle: fixed.mangle + own.mangle };
  }

  /** 16 hexadecimal digits, equal for equal rules. */
  get rulesHash(): string {
    return hexDigest(this.fixed.tally.digest, this.#tally.digest);
  }

  /** Takes a Service in before `finishFill`: nothing is compared, and nothing sorted yet. */
  fill(key: ServiceKey, servicePorts: readonly FormattedServicePort[]): void {
    for (const rule of this.#record(key, servicePorts).dispatch) {
      if (isFrontend(rule)) this.#frontends.fill(rule);
      else if (isClusterIPRule(rule)) this.#clusterIPs.fill(rule);
      else this.#listOf(rule).push(rule);
    }
  }

  /**
   * Sorts the dispatch when all Services are filled in. Gives the chains of the tree in nat, if there is to be one; what
   * is referred to comes first.
   */
  finishFill(): Iterable<FormattedChain> {
    this.#hasTree = needsTree(this.#frontends.size, this.#hasTree);
    if (!this.#hasTree) this.#dispatch.set(frontendsKey, this.#frontends.flat());
    for (const list of this.#dispatch.values()) list.sort(compareDispatch);
    this.#clusterIPs.finishFill();
    return this.#hasTree ? this.#frontends.rebuild() : [];
  }

  /** Those of filter that dispatch chains lead to, once, after `finishFill`; what is referred to comes first. */
  takeClusterIPChains(): Iterable<FormattedChain> {
    return this.#clusterIPs.takeChains();
  }

  /** The dispatch chains of a table with all their rules, in the order of the plan. */
  dispatchChains(table: Table): readonly FormattedChain[] {
    return this.#tails.filter((tail) => tail.table === table).map((tail) => this.#dispatchChain(tail));
  }

  #dispatchChain(tail: FormattedChain): FormattedChain {
    return { ...tail, rules: this.#dispatchRules(tail) };
  }

  #dispatchRules(chain: FormattedChain): readonly string[] {
    const key = dispatchKey(chain);
    if (this.#hasTree && key === frontendsKey) return [...this.#frontends.rootRules(), ...chain.rules];
    if (key === checkKey) return [...this.#clusterIPs.rootRules(), ...chain.rules];
    return [...(this.#dispatch.get(key) ?? []).map(({ rule }) => rule), ...chain.rules];
  }

  /** Every chain that the kernel must hold. */
  *chainSizes(): Generator<ChainSize> {
    yield* this.fixed.chainSizes();
    for (const chain of this.#tails)
      yield { table: chain.table, name: chain.name, rules: this.#dispatchRules(chain).length };
    for (const [name, rules] of this.#frontends.chainSizes) yield { table: 'nat', name, rules };
    for (const [name, rules] of this.#clusterIPs.chainSizes) yield { table: 'filter', name, rules };
    for (const { chains } of this.#services.values()) yield* unpackChains(chains);
  }

  /** The Service's chains that are new or hold other rules than before, what is referred to first; and those that go. */
  differing(key: ServiceKey, servicePorts: readonly FormattedServicePort[]): Pick<ChangeSet, 'written' | 'stale'> {
    const [before, after] = [this.#services.get(key) ?? noEntry, entryOf(servicePorts)];
    return { written: writtenChains(before, after, servicePorts), stale: staleChains(before, after) };
  }

  /** Takes chains of a Service over before the rest of its change. */
  takeAhead(key: ServiceKey, chains: readonly FormattedChain[]): void {
    this.#keep(key, withChains(this.#services.get(key) ?? noEntry, chains));
  }

  /**
   * Takes the changed Services over, each with all its ports now; one without any is gone. Insertions of all Services
   * are counted before removals, so that the two can be sent apart.
   */
  change(changed: ReadonlyMap<ServiceKey, readonly FormattedServicePort[]>): ChangeSet {
    const pairs = [...changed].map(([key, servicePorts]) => {
      const before = this.#services.get(key) ?? noEntry;
      return { before, after: this.#record(key, servicePorts), servicePorts };
    });
    const added = pairs.flatMap(({ before, after }) => missingFrom(before.dispatch, after.dispatch));
    const gone = pairs.flatMap(({ before, after }) => missingFrom(after.dispatch, before.dispatch));
    const buckets = this.#changeFrontends(added.filter(isFrontend), gone.filter(isFrontend));
    const check = this.#clusterIPs.change(added.filter(isClusterIPRule), gone.filter(isClusterIPRule), () =>
      this.#tails.filter((tail) => dispatchKey(tail) === checkKey).map((tail) => this.#dispatchChain(tail)),
    );
    const isListed = (rule: FormattedDispatchRule): boolean =>
      !isClusterIPRule(rule) && (!isFrontend(rule) || buckets === undefined);
    return {
      written: [
        ...pairs.flatMap(({ before, after, servicePorts }) => writtenChains(before, after, servicePorts)),
        ...(buckets?.written ?? []),
      ],
      inserted: added.filter(isListed).map((rule) => ({ rule, position: this.#insert(rule) })),
      removed: gone.filter(isListed).map((rule) => this.#remove(rule)),
      stale: [
        ...(buckets?.stale ?? []).map((name) => ({ table: 'nat' as const, name })),
        ...pairs.flatMap(({ before, after }) => staleChains(before, after)),
      ],
      check,
    };
  }

  /**
   * The chains to write and to delete where there is a tree, or was one; undefined where the frontends stand in a list
   * before and after.
   */
  #changeFrontends(
    added: readonly FormattedDispatchRule[],
    gone: readonly FormattedDispatchRule[],
  ): TreeChange | undefined {
    const hadTree = this.#hasTree;
    const rootBefore = hadTree ? this.#frontends.rootRules() : [];
    this.#hasTree = needsTree(this.#frontends.size + added.length - gone.length, hadTree);
    if (hadTree && this.#hasTree) {
      const change = this.#frontends.change(added, gone);
      return isDeepStrictEqual(rootBefore, this.#frontends.rootRules())
        ? change
        : { ...change, written: [...change.written, this.#rootChain()] };
    }
    this.#frontends.replace(added, gone);
    if (this.#hasTree) {
      this.#dispatch.delete(frontendsKey);
      return { written: [...this.#frontends.rebuild(), this.#rootChain()], stale: [] };
    }
    if (!hadTree) return undefined;
    const stale = [...this.#frontends.chainSizes.keys()];
    this.#frontends.forgetChains();
    this.#dispatch.set(frontendsKey, this.#frontends.flat());
    return { written: [this.#rootChain()], stale };
  }

  #rootChain(): FormattedChain {
    const tail = this.#tails.find((chain) => dispatchKey(chain) === frontendsKey);
    if (tail === undefined) throw new Error('a plan without dispatch by address');
    return this.#dispatchChain(tail);
  }

  /** Keeps a Service in place of what was kept of it before. */
  #record(key: ServiceKey, servicePorts: readonly FormattedServicePort[]): ServiceEntry {
    const entry = entryOf(servicePorts);
    this.#keep(key, entry);
    return entry;
  }

  #keep(key: ServiceKey, entry: ServiceEntry): void {
    this.#count(this.#services.get(key) ?? noEntry, -1);
    this.#count(entry, 1);
    if (entry.dispatch.length === 0 && entry.chains === '') this.#services.delete(key);
    else this.#services.set(key, entry);
  }

  /** Adds to the counts and the hash, or takes from them. */
  #count(entry: ServiceEntry, sign: 1 | -1): void {
    this.#endpoints += sign * entry.endpoints;
    if (entry.dispatch.length > 0) this.#served += sign;
    for (const chain of unpackChains(entry.chains)) this.#tally.count(chain, sign);
    for (const { table, chain, rule } of entry.dispatch)
      this.#tally.count({ table, rules: 1, digest: digestOf({ table, name: chain, rules: [rule] }) }, sign);
  }

  #listOf(rule: FormattedDispatchRule): FormattedDispatchRule[] {
    const key = dispatchKey({ table: rule.table, name: rule.chain });
    const list = this.#dispatch.get(key) ?? [];
    this.#dispatch.set(key, list);
    return list;
  }

  #insert(rule: FormattedDispatchRule): number {
    const list = this.#listOf(rule);
    const index = firstNotBefore(list, rule);
    list.splice(index, 0, rule);
    return index + 1;
  }

  #remove(rule: FormattedDispatchRule): FormattedDispatchRule {
    const list = this.#listOf(rule);
    list.splice(firstNotBefore(list, rule), 1);
    return rule;
  }
}
