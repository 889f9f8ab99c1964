/**
 * What the kernel holds of ours, as far as this process knows: enough to tell what a change changes, and no rule text but that of
 * the dispatch. It describes the kernel only after the transaction that it led to was committed; after a failure it is thrown away.
 */
import type { ServiceKey } from '../../model/service.ts';
import type { FixedPlan, Jump, Table } from '../shared/chains.ts';
import type { PrintedChain, PrintedDispatch, PrintedFragment } from './print.ts';
import { compareDispatch, digestOf, printChain } from './print.ts';

/** What a transaction has to do, in the terms of the kernel. */
export interface ChangeSet {
  /** New chains and those with other rules than before; what is referred to comes first. */
  readonly written: readonly PrintedChain[];
  /** In the order in which their positions are right. */
  readonly inserted: readonly Insertion[];
  readonly removed: readonly PrintedDispatch[];
  readonly stale: readonly ChainId[];
}

export interface Insertion {
  readonly rule: PrintedDispatch;
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
  readonly chains: readonly (ChainSize & { readonly digest: bigint })[];
  readonly dispatch: readonly PrintedDispatch[];
  readonly endpoints: number;
}

const nothing: ServiceEntry = { chains: [], dispatch: [], endpoints: 0 };

export class Ledger {
  readonly #services = new Map<ServiceKey, ServiceEntry>();
  readonly #dispatch = new Map<string, PrintedDispatch[]>();
  readonly #fixed: readonly PrintedChain[];
  /** The dispatch chains with the rules that stay behind those of the Services. */
  readonly #tails: readonly PrintedChain[];
  readonly jumps: readonly Jump[];
  #digest = 0n;
  #endpoints = 0;
  readonly #rules: Record<Table, number> = { filter: 0, nat: 0, mangle: 0 };

  constructor({ jumps, chains, dispatch }: FixedPlan) {
    this.jumps = jumps;
    this.#fixed = chains.map(printChain);
    this.#tails = dispatch.map(printChain);
    for (const chain of [...this.#fixed, ...this.#tails]) this.#count(chain.table, chain.rules.length, digestOf(chain));
  }

  get services(): number {
    return this.#services.size;
  }

  get endpoints(): number {
    return this.#endpoints;
  }

  get rulesByTable(): Readonly<Record<Table, number>> {
    return { ...this.#rules };
  }

  get rulesHash(): string {
    return this.#digest.toString(16).padStart(16, '0');
  }

  /** For the first fill: nothing is compared, and the dispatch is sorted once at the end. */
  fill(key: ServiceKey, fragments: readonly PrintedFragment[]): void {
    for (const rule of this.#record(key, fragments).dispatch) this.#listOf(rule).push(rule);
  }

  sortDispatch(): void {
    for (const list of this.#dispatch.values()) list.sort(compareDispatch);
  }

  /** All the rules of a dispatch chain. */
  dispatchRules(chain: PrintedChain): readonly string[] {
    return [...(this.#dispatch.get(dispatchKey(chain)) ?? []).map(({ rule }) => rule), ...chain.rules];
  }

  /** Every chain that the kernel must hold, with its number of rules. */
  *chains(): Generator<ChainSize> {
    for (const { table, name, rules } of this.#fixed) yield { table, name, rules: rules.length };
    for (const { table, name, rules } of this.#tails) {
      yield { table, name, rules: rules.length + (this.#dispatch.get(dispatchKey({ table, name }))?.length ?? 0) };
    }
    for (const entry of this.#services.values()) yield* entry.chains;
  }

  /**
   * Takes the changed Services over. Insertions of all Services are counted before removals, so that the two can be sent apart:
   * what adds to filter goes before nat, and what takes away from it after.
   */
  change(changed: ReadonlyMap<ServiceKey, readonly PrintedFragment[]>): ChangeSet {
    const pairs = [...changed].map(([key, fragments]) => {
      const before = this.#services.get(key) ?? nothing;
      return { before, after: this.#record(key, fragments), fragments };
    });
    const added = pairs.flatMap(({ before, after }) => missingFrom(before.dispatch, after.dispatch));
    const gone = pairs.flatMap(({ before, after }) => missingFrom(after.dispatch, before.dispatch));
    return {
      written: pairs.flatMap(({ before, after, fragments }) => rewritten(before, after, fragments)),
      inserted: added.map((rule) => ({ rule, position: this.#insert(rule) })),
      removed: gone.map((rule) => this.#remove(rule)),
      stale: pairs.flatMap(({ before, after }) => staleChains(before, after)),
    };
  }

  #record(key: ServiceKey, fragments: readonly PrintedFragment[]): ServiceEntry {
    const before = this.#services.get(key) ?? nothing;
    const after = entryOf(fragments);
    this.#tally(before, -1);
    this.#tally(after, 1);
    if (fragments.length === 0) this.#services.delete(key);
    else this.#services.set(key, after);
    return after;
  }

  #tally(entry: ServiceEntry, sign: 1 | -1): void {
    this.#endpoints += sign * entry.endpoints;
    for (const { table, rules, digest } of entry.chains) this.#count(table, sign * rules, BigInt(sign) * digest);
    for (const { table, chain, rule } of entry.dispatch) this.#count(table, sign, BigInt(sign) * digestOf({ table, name: chain, rules: [rule] }));
  }

  #count(table: Table, rules: number, digest: bigint): void {
    this.#rules[table] += rules;
    this.#digest = BigInt.asUintN(64, this.#digest + digest);
  }

  #listOf(rule: PrintedDispatch): PrintedDispatch[] {
    const key = dispatchKey({ table: rule.table, name: rule.chain });
    const list = this.#dispatch.get(key) ?? [];
    this.#dispatch.set(key, list);
    return list;
  }

  #insert(rule: PrintedDispatch): number {
    const list = this.#listOf(rule);
    const index = firstNotBefore(list, rule);
    list.splice(index, 0, rule);
    return index + 1;
  }

  #remove(rule: PrintedDispatch): PrintedDispatch {
    const list = this.#listOf(rule);
    list.splice(firstNotBefore(list, rule), 1);
    return rule;
  }
}

function dispatchKey({ table, name }: ChainId): string {
  return `${table} ${name}`;
}

function entryOf(fragments: readonly PrintedFragment[]): ServiceEntry {
  const chains = fragments.flatMap((fragment) => fragment.chains);
  return {
    chains: chains.map((chain) => ({ table: chain.table, name: chain.name, rules: chain.rules.length, digest: digestOf(chain) })),
    dispatch: fragments.flatMap((fragment) => fragment.dispatch),
    endpoints: fragments.reduce((sum, { endpoints }) => sum + endpoints, 0),
  };
}

function identity({ table, chain, rule }: PrintedDispatch): string {
  return [table, chain, rule].join('\n');
}

/** The rules of `list` that `known` does not have. */
function missingFrom(known: readonly PrintedDispatch[], list: readonly PrintedDispatch[]): readonly PrintedDispatch[] {
  const there = new Set(known.map(identity));
  return list.filter((rule) => !there.has(identity(rule)));
}

function rewritten(before: ServiceEntry, after: ServiceEntry, fragments: readonly PrintedFragment[]): readonly PrintedChain[] {
  const known = new Map(before.chains.map(({ name, digest }) => [name, digest]));
  const changed = new Set(after.chains.filter(({ name, digest }) => known.get(name) !== digest).map(({ name }) => name));
  return fragments.flatMap(({ chains }) => chains).filter(({ name }) => changed.has(name));
}

function staleChains(before: ServiceEntry, after: ServiceEntry): readonly ChainId[] {
  const kept = new Set(after.chains.map(({ name }) => name));
  return before.chains.filter(({ name }) => !kept.has(name)).map(({ table, name }) => ({ table, name }));
}

function firstNotBefore(list: readonly PrintedDispatch[], rule: PrintedDispatch): number {
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
