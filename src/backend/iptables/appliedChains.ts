/**
 * What the kernel holds of ours, as far as this process knows: enough to tell what a change changes, and no rule text
 * but that of the dispatch. It describes the kernel only after the transaction that it led to was committed; after a
 * failure it is thrown away.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ServiceKey } from '../../model/service.ts';
import { compact } from '../../model/compact.ts';
import type { FixedPlan, Jump, Table } from '../shared/chains.ts';
import { services } from '../shared/chains.ts';
import type { PackedChains, UnpackedChain } from './packedChains.ts';
import { packChains, unpackChains } from './packedChains.ts';
import type { TreeChange } from './dispatchTree.ts';
import { DispatchTree, isFrontend, needsTree } from './dispatchTree.ts';
import type { FormattedChain, FormattedDispatchRule, FormattedServicePort } from './format.ts';
import { compareDispatch, digestOf, formatChain } from './format.ts';

/** What a transaction has to do, in the terms of the kernel. */
export interface ChangeSet {
  /** New chains and those with other rules than before; what is referred to comes first. */
  readonly written: readonly FormattedChain[];
  /** In the order in which their positions are right. */
  readonly inserted: readonly Insertion[];
  readonly removed: readonly FormattedDispatchRule[];
  readonly stale: readonly ChainId[];
}

export interface Insertion {
  readonly rule: FormattedDispatchRule;
  /** 1 is the first. */
  readonly position: number;
}

export interface ChainId {
  readonly table: Table;
  readonly name: string;
}

export interface ChainSize extends ChainId {
  readonly rules: number;
}

interface ServiceEntry {
  readonly chains: PackedChains;
  readonly dispatch: readonly FormattedDispatchRule[];
  readonly endpoints: number;
}

const nothing: ServiceEntry = { chains: '', dispatch: [], endpoints: 0 };

export class AppliedChains {
  readonly #services = new Map<ServiceKey, ServiceEntry>();
  /** What stands in the dispatch chains, in order; without the frontends while they have a tree. */
  readonly #dispatch = new Map<string, FormattedDispatchRule[]>();
  /** All frontends, whether their buckets have chains or not. */
  readonly #frontends = new DispatchTree();
  #hasTree: boolean;
  readonly #fixed: readonly FormattedChain[];
  /** The dispatch chains with the rules that stay behind those of the Services. */
  readonly #tails: readonly FormattedChain[];
  readonly jumps: readonly Jump[];
  #digest = 0n;
  #endpoints = 0;
  readonly #rules: Record<Table, number> = { filter: 0, nat: 0, mangle: 0 };

  /** `hasTree`: whether the kernel has one, which then goes later than it would come. */
  constructor({ jumps, chains, dispatch }: FixedPlan, hasTree = false) {
    this.#hasTree = hasTree;
    this.jumps = jumps;
    this.#fixed = chains.map(formatChain);
    this.#tails = dispatch.map(formatChain);
    for (const chain of [...this.#fixed, ...this.#tails])
      this.#count({ table: chain.table, rules: chain.rules.length, digest: digestOf(chain) }, 1);
  }

  get services(): number {
    return this.#services.size;
  }

  get endpoints(): number {
    return this.#endpoints;
  }

  get rulesByTable(): Readonly<Record<Table, number>> {
    // One jump leads to each bucket.
    return { ...this.#rules, nat: this.#rules.nat + this.#frontends.chains.size };
  }

  get rulesHash(): string {
    return this.#digest.toString(16).padStart(16, '0');
  }

  /** For the first fill: nothing is compared, and the dispatch is sorted once at the end. */
  fill(key: ServiceKey, servicePorts: readonly FormattedServicePort[]): void {
    for (const rule of this.#record(key, servicePorts).dispatch) {
      if (isFrontend(rule)) this.#frontends.fill(rule);
      else this.#listOf(rule).push(rule);
    }
  }

  /** Ends the first fill; gives the chains of the tree, if there is to be one. What is referred to comes first. */
  sortDispatch(): Iterable<FormattedChain> {
    this.#hasTree = needsTree(this.#frontends.size, this.#hasTree);
    if (!this.#hasTree) this.#dispatch.set(frontendsKey, this.#frontends.flat());
    for (const list of this.#dispatch.values()) list.sort(compareDispatch);
    return this.#hasTree ? this.#frontends.rebuild() : [];
  }

  /** All the rules of a dispatch chain. */
  dispatchRules(chain: FormattedChain): readonly string[] {
    if (this.#hasTree && dispatchKey(chain) === frontendsKey) return [...this.#frontends.rootRules(), ...chain.rules];
    return [...(this.#dispatch.get(dispatchKey(chain)) ?? []).map(({ rule }) => rule), ...chain.rules];
  }

  /** Every chain that the kernel must hold, with its number of rules. */
  *chains(): Generator<ChainSize> {
    for (const { table, name, rules } of this.#fixed) yield { table, name, rules: rules.length };
    for (const chain of this.#tails)
      yield { table: chain.table, name: chain.name, rules: this.dispatchRules(chain).length };
    for (const [name, rules] of this.#frontends.chains) yield { table: 'nat', name, rules };
    for (const { chains } of this.#services.values()) yield* unpackChains(chains);
  }

  /**
   * Takes the changed Services over. Insertions of all Services are counted before removals, so that the two can be
   * sent apart: what adds to filter goes before nat, and what takes away from it after.
   */
  change(changed: ReadonlyMap<ServiceKey, readonly FormattedServicePort[]>): ChangeSet {
    const pairs = [...changed].map(([key, servicePorts]) => {
      const before = this.#services.get(key) ?? nothing;
      return { before, after: this.#record(key, servicePorts), servicePorts };
    });
    const added = pairs.flatMap(({ before, after }) => missingFrom(before.dispatch, after.dispatch));
    const gone = pairs.flatMap(({ before, after }) => missingFrom(after.dispatch, before.dispatch));
    const buckets = this.#changeFrontends(added.filter(isFrontend), gone.filter(isFrontend));
    const isListed = (rule: FormattedDispatchRule): boolean => !isFrontend(rule) || buckets === undefined;
    return {
      written: [
        ...pairs.flatMap(({ before, after, servicePorts }) => rewritten(before, after, servicePorts)),
        ...(buckets?.written ?? []),
      ],
      inserted: added.filter(isListed).map((rule) => ({ rule, position: this.#insert(rule) })),
      removed: gone.filter(isListed).map((rule) => this.#remove(rule)),
      stale: [
        ...(buckets?.stale ?? []).map((name) => ({ table: 'nat' as const, name })),
        ...pairs.flatMap(({ before, after }) => staleChains(before, after)),
      ],
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
    const stale = [...this.#frontends.chains.keys()];
    this.#frontends.forgetChains();
    this.#dispatch.set(frontendsKey, this.#frontends.flat());
    return { written: [this.#rootChain()], stale };
  }

  #rootChain(): FormattedChain {
    const tail = this.#tails.find((chain) => dispatchKey(chain) === frontendsKey);
    if (tail === undefined) throw new Error('a plan without dispatch by address');
    return { ...tail, rules: this.dispatchRules(tail) };
  }

  #record(key: ServiceKey, servicePorts: readonly FormattedServicePort[]): ServiceEntry {
    const before = this.#services.get(key) ?? nothing;
    const after = entryOf(servicePorts);
    this.#tally(before, -1);
    this.#tally(after, 1);
    if (servicePorts.length === 0) this.#services.delete(key);
    else this.#services.set(key, after);
    return after;
  }

  #tally(entry: ServiceEntry, sign: 1 | -1): void {
    this.#endpoints += sign * entry.endpoints;
    for (const { table, rules, digest } of unpackChains(entry.chains)) this.#count({ table, rules, digest }, sign);
    for (const { table, chain, rule } of entry.dispatch)
      this.#count({ table, rules: 1, digest: digestOf({ table, name: chain, rules: [rule] }) }, sign);
  }

  #count({ table, rules, digest }: Pick<UnpackedChain, 'table' | 'rules' | 'digest'>, sign: 1 | -1): void {
    this.#rules[table] += sign * rules;
    this.#digest = BigInt.asUintN(64, this.#digest + BigInt(sign) * BigInt(`0x${digest}`));
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

const frontendsKey = dispatchKey({ table: 'nat', name: services });

function dispatchKey({ table, name }: ChainId): string {
  return `${table} ${name}`;
}

function entryOf(servicePorts: readonly FormattedServicePort[]): ServiceEntry {
  return {
    chains: packChains(servicePorts.flatMap((servicePort) => servicePort.chains)),
    dispatch: compact(servicePorts.flatMap((servicePort) => servicePort.dispatch)),
    endpoints: servicePorts.reduce((sum, { endpoints }) => sum + endpoints, 0),
  };
}

function identity({ table, chain, rule }: FormattedDispatchRule): string {
  return [table, chain, rule].join('\n');
}

/** The rules of `list` that `known` does not have. */
function missingFrom(
  known: readonly FormattedDispatchRule[],
  list: readonly FormattedDispatchRule[],
): readonly FormattedDispatchRule[] {
  const there = new Set(known.map(identity));
  return list.filter((rule) => !there.has(identity(rule)));
}

function rewritten(
  before: ServiceEntry,
  after: ServiceEntry,
  servicePorts: readonly FormattedServicePort[],
): readonly FormattedChain[] {
  const known = new Map([...unpackChains(before.chains)].map(({ name, digest }) => [name, digest]));
  const changed = new Set(
    [...unpackChains(after.chains)].filter(({ name, digest }) => known.get(name) !== digest).map(({ name }) => name),
  );
  return servicePorts.flatMap(({ chains }) => chains).filter(({ name }) => changed.has(name));
}

function staleChains(before: ServiceEntry, after: ServiceEntry): readonly ChainId[] {
  const kept = new Set([...unpackChains(after.chains)].map(({ name }) => name));
  return [...unpackChains(before.chains)]
    .filter(({ name }) => !kept.has(name))
    .map(({ table, name }) => ({ table, name }));
}

function firstNotBefore(list: readonly FormattedDispatchRule[], rule: FormattedDispatchRule): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = list[middle];
    if (there !== undefined && compareDispatch(there, rule) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
