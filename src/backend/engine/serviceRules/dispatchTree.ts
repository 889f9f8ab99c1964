/**
 * Dispatch by address in a tree of chains, for nodes with many Services: the kernel compares a packet with every rule
 * of a chain one after the other, so that in one chain of 10,000 every new connection on the node pays for all of them
 * (docs/adr/0007-dispatch-by-a-tree.md).
 *
 * The model. A frontend is a rule of KUBE-SERVICES in nat that leads from one address of a Service to its chains. A
 * bucket is the set of all frontends whose addresses begin with the same octal digits, which are three bits each. What
 * the chain of a bucket holds depends on that set alone:
 *
 * - the rules themselves, where they are eight at most or all of one address;
 * - else one jump for each digit that follows after those that all its members share.
 *
 * The root is the bucket of all frontends. Its chain is KUBE-SERVICES, and it always holds jumps; but see
 * `DispatchTreeOptions` for another root. The chain of any other bucket is named by its network: `KUBE-SB-<address in hexadecimal>-<length>`, and for IPv6, whose addresses are
 * too long for a name, by a hash of it. A packet that meets no rule of a bucket returns to the chain before.
 *
 * Worked example: 10.96.0.1 with one port, 10.96.0.10 with eight, 10.96.16.7 with one. (Ten frontends alone would get
 * no tree.)
 *
 * ```
 * 10.96.0.1    02460000002
 * 10.96.0.10   02460000024
 * 10.96.16.7   02460020016
 * ```
 *
 * All three share `024600`, so the root has a jump for each seventh digit: `0246000` and `0246002`, which are networks
 * of 21 bits. The first bucket has nine frontends, one too many for rules of its own. Its two addresses share
 * `024600000`, so it splits by the tenth digit, at 30 bits. What comes out:
 *
 * ```
 * KUBE-SERVICES         -d 10.96.0.0/21 -j KUBE-SB-0A600000-21
 *                       -d 10.96.16.0/21 -j KUBE-SB-0A601000-21
 * KUBE-SB-0A600000-21   -d 10.96.0.0/30 -j KUBE-SB-0A600000-30
 *                       -d 10.96.0.8/30 -j KUBE-SB-0A600008-30
 * KUBE-SB-0A600000-30   1 rule of 10.96.0.1
 * KUBE-SB-0A600008-30   8 rules of 10.96.0.10
 * KUBE-SB-0A601000-21   1 rule of 10.96.16.7
 * ```
 *
 * What it is to do, and how:
 *
 * 1. A packet is compared with a few dozen rules: a chain has eight jumps at most, and IPv4 has eleven digits. (Only an
 *    address with more than eight ports has more rules in its chain.)
 * 2. After any changes the kernel holds what a fresh start writes: neither the order of changes nor the place of a
 *    bucket in the tree shows in its chain.
 * 3. A change concerns few chains: the buckets on the way to its addresses, and those that these lead to. `change`
 *    compares these before and after.
 * 4. It keeps little: the sorted list of frontends, and the number of rules of each chain. Buckets are parts of the
 *    list, found by binary search when they are asked for.
 *
 * Concurrency: an object of one AppliedChains, changed by its methods alone, with no call running beside another.
 */
import ipaddr from 'ipaddr.js';
import { familyOf } from '../../../model/ipFamily.ts';
import type { Table } from '../../../netfilter/xtables/chain.ts';
import { nameHash } from './chainNames.ts';
import { formatRule, jumpTo, to } from '../../../netfilter/xtables/rule.ts';
import type { FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
import type { FormattedDispatchRule } from './format.ts';
import { compareDispatch } from './format.ts';
import type { Frontend } from './frontend.ts';
import { addressBits, bitsPerDigit, compareFrontends, frontendOf, hexOf, sharedLength } from './frontend.ts';
import { firstIndex } from './firstIndex.ts';

/** With fewer frontends dispatch stays in one chain, as kube-proxy's. */
const minForNewTree = 128;
/** A tree that stands goes only when there are clearly fewer. */
const minForExistingTree = 96;

export interface DispatchTreeOptions {
  readonly table: Table;
  /** Rules in a bucket's chain, unless they are all of one address. */
  readonly maxRulesInBucket: number;
  /** Whether the root holds the rules itself where they are so few; else it always holds jumps. */
  readonly rootHoldsRules: boolean;
}

const frontendsOptions: DispatchTreeOptions = { table: 'nat', maxRulesInBucket: 8, rootHoldsRules: false };

/** Whether so many frontends are dispatched by a tree; `hasTree`: whether one stands. */
export function needsTree(frontends: number, hasTree: boolean): boolean {
  return frontends >= (hasTree ? minForExistingTree : minForNewTree);
}

/** All frontends whose digits begin with `prefix`: a part of the sorted list. */
interface Bucket {
  readonly prefix: string;
  /** Index of its first frontend, and of the first after it. */
  readonly from: number;
  readonly end: number;
}

/** What is to be done about the buckets' chains after a change. */
export interface TreeChange {
  /** New chains and those with other rules than before; what is referred to comes first. */
  readonly written: readonly FormattedChain[];
  /** Names of chains to delete. */
  readonly stale: readonly string[];
}

/** The frontends of one family, sorted, and the chains of their buckets. */
export class DispatchTree {
  #frontends: Frontend[] = [];
  /** The number of rules of each bucket's chain. */
  #chainSizes = new Map<string, number>();
  #isSorted = true;
  readonly #options: DispatchTreeOptions;

  /** A tree of frontends without `options`. */
  constructor(options: DispatchTreeOptions = frontendsOptions) {
    this.#options = options;
  }

  /** Number of frontends. */
  get size(): number {
    return this.#frontends.length;
  }

  /** Names of the buckets' chains, without that of the root, with their number of rules; empty without a tree. */
  get chainSizes(): ReadonlyMap<string, number> {
    return this.#chainSizes;
  }

  /** Adds a frontend before the first `rebuild`, which makes the chains. */
  fill(rule: FormattedDispatchRule): void {
    this.#frontends.push(frontendOf(rule));
    this.#isSorted = false;
  }

  /** All frontends in the order in which they stand in one chain without a tree. */
  flat(): FormattedDispatchRule[] {
    this.#sort();
    return this.#frontends.map(({ rule }) => rule).sort(compareDispatch);
  }

  /** The rules of the root's chain. */
  rootRules(): readonly string[] {
    this.#sort();
    return this.#frontends.length === 0 ? [] : this.#rulesOf(this.#root(), true);
  }

  /** Makes every bucket's chain anew and gives it with its rules; what is referred to comes first. */
  *rebuild(): Generator<FormattedChain> {
    this.#sort();
    this.#chainSizes = new Map();
    if (this.#frontends.length === 0) return;
    for (const child of this.#childrenOf(this.#root(), true)) yield* this.#build(child);
  }

  /** The buckets' chains are gone from the kernel, the frontends stay. */
  forgetChains(): void {
    this.#chainSizes = new Map();
  }

  /** Takes frontends in and out while there is no tree. */
  replace(added: readonly FormattedDispatchRule[], removed: readonly FormattedDispatchRule[]): void {
    for (const rule of removed) this.#remove(frontendOf(rule));
    for (const rule of added) this.#insert(frontendOf(rule));
  }

  /**
   * Takes frontends in and out of a tree that stands, and gives the chains that this changes. The root's is not among
   * them: compare `rootRules` before and after.
   */
  change(added: readonly FormattedDispatchRule[], removed: readonly FormattedDispatchRule[]): TreeChange {
    const digits = [...added, ...removed].map((rule) => frontendOf(rule).digits);
    const before = this.#bucketsAround(digits);
    this.replace(added, removed);
    const after = this.#bucketsAround(digits);
    const written = [...after].filter(
      ([name, rules]) =>
        !isEqual(before.get(name)?.rules, rules.rules) && (before.has(name) || !this.#chainSizes.has(name)),
    );
    const stale = [...before]
      .filter(([name, { prefix }]) => !after.has(name) && !this.#hasBucket(prefix))
      .map(([name]) => name);
    for (const name of stale) this.#chainSizes.delete(name);
    for (const [name, { rules }] of written) this.#chainSizes.set(name, rules.length);
    const { table } = this.#options;
    return { written: written.map(([name, { rules }]) => ({ table, name, rules })), stale };
  }

  /**
   * The buckets on the way to addresses, and those that they lead to, by chain name; what is referred to comes first.
   */
  #bucketsAround(addresses: readonly string[]): Map<string, { prefix: string; rules: readonly string[] }> {
    const found = new Map<string, { prefix: string; rules: readonly string[] }>();
    const visit = (bucket: Bucket, some: readonly string[], isRoot: boolean): void => {
      const children = this.#childrenOf(bucket, isRoot);
      for (const child of children) {
        const inside = some.filter((digits) => digits.startsWith(child.prefix));
        if (inside.length > 0) visit(child, inside, false);
        else found.set(this.#nameOf(child), { prefix: child.prefix, rules: this.#rulesOf(child, false) });
      }
      if (!isRoot) found.set(this.#nameOf(bucket), { prefix: bucket.prefix, rules: this.#rulesOf(bucket, false) });
    };
    this.#sort();
    if (this.#frontends.length > 0) visit(this.#root(), addresses, true);
    return found;
  }

  #hasBucket(prefix: string): boolean {
    if (this.#frontends.length === 0) return false;
    let bucket: Bucket | undefined = this.#root();
    for (let isRoot = true; bucket !== undefined && bucket.prefix.length < prefix.length; isRoot = false) {
      bucket = this.#childrenOf(bucket, isRoot).find((child) => prefix.startsWith(child.prefix));
    }
    return bucket?.prefix === prefix;
  }

  *#build(bucket: Bucket): Generator<FormattedChain> {
    for (const child of this.#childrenOf(bucket, false)) yield* this.#build(child);
    const rules = this.#rulesOf(bucket, false);
    const name = this.#nameOf(bucket);
    this.#chainSizes.set(name, rules.length);
    yield { table: this.#options.table, name, rules };
  }

  #root(): Bucket {
    return { prefix: '', from: 0, end: this.#frontends.length };
  }

  #rulesOf(bucket: Bucket, isRoot: boolean): readonly string[] {
    const children = this.#childrenOf(bucket, isRoot);
    if (children.length > 0)
      return children.map((child) =>
        formatRule({ matches: [to(this.#networkOf(child))], target: jumpTo(this.#nameOf(child)) }),
      );
    return this.#frontends.slice(bucket.from, bucket.end).map(({ rule }) => rule.rule);
  }

  /** The buckets that it leads to; none where it holds its rules itself. */
  #childrenOf({ from, end }: Bucket, isRoot: boolean): readonly Bucket[] {
    const { maxRulesInBucket, rootHoldsRules } = this.#options;
    const first = this.#frontends[from]?.digits ?? '';
    const last = this.#frontends[end - 1]?.digits ?? '';
    if ((!isRoot || rootHoldsRules) && (end - from <= maxRulesInBucket || first === last)) return [];
    const length = Math.min(sharedLength(first, last) + 1, first.length);
    const children: Bucket[] = [];
    for (let start = from; start < end;) {
      const prefix = this.#frontends[start]?.digits.slice(0, length) ?? '';
      // '8' sorts after every octal digit.
      const next = this.#firstNotBefore(`${prefix}8`);
      children.push({ prefix, from: start, end: next });
      start = next;
    }
    return children;
  }

  #firstNotBefore(digits: string): number {
    return firstIndex(this.#frontends, (each) => each.digits >= digits);
  }

  #nameOf(bucket: Bucket): string {
    const network = this.#networkOf(bucket);
    const [address = '', length = ''] = network.split('/');
    return `KUBE-SB-${familyOf(network) === 'ipv4' ? hexOf(address).toUpperCase() : nameHash(network)}-${length}`;
  }

  #networkOf({ prefix, from }: Bucket): string {
    const address = this.#frontends[from]?.address ?? '';
    const bits = Math.min(prefix.length * bitsPerDigit, addressBits[familyOf(address)]);
    const network =
      familyOf(address) === 'ipv4'
        ? ipaddr.IPv4.networkAddressFromCIDR(`${address}/${bits}`)
        : ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits}`);
    return `${network.toString()}/${bits}`;
  }

  #insert(frontend: Frontend): void {
    this.#sort();
    this.#frontends.splice(
      firstIndex(this.#frontends, (each) => compareFrontends(each, frontend) >= 0),
      0,
      frontend,
    );
  }

  #remove(frontend: Frontend): void {
    this.#sort();
    this.#frontends.splice(
      firstIndex(this.#frontends, (each) => compareFrontends(each, frontend) >= 0),
      1,
    );
  }

  #sort(): void {
    if (!this.#isSorted) this.#frontends.sort(compareFrontends);
    this.#isSorted = true;
  }
}

function isEqual(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a !== undefined && a.length === b.length && a.every((rule, index) => rule === b[index]);
}
