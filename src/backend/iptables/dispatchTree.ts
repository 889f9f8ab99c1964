/**
 * Dispatch by address in a tree of chains, for nodes with many Services: the kernel looks at every rule of a chain in
 * turn, so that in one chain of 10,000 every new connection on the node pays for all of them
 * (docs/adr/0007-dispatch-by-a-tree.md).
 *
 * A bucket is the set of all frontends whose addresses begin alike, and what its chain holds depends on that set alone:
 * the rules themselves while they are few, else a jump for each of the buckets that the next three bits make, after all
 * the bits that its members share. So neither the way in which a set came about nor the place of a bucket in the tree
 * shows in the kernel, and a change concerns only the buckets on the way to the address, and those next to them.
 */
import ipaddr from 'ipaddr.js';
import type { IPFamily } from '../../model/ipFamily.ts';
import { familyOf } from '../../model/ipFamily.ts';
import { services } from '../shared/chains.ts';
import { nameHash } from '../shared/names.ts';
import { formatRule, jumpTo, to } from '../shared/rule.ts';
import type { FormattedChain, FormattedDispatchRule } from './format.ts';
import { compareDispatch } from './format.ts';

/** Below, dispatch stays in one chain, as kube-proxy's; a tree that stands goes only when there are clearly fewer. */
const treeFrom = 128;
const flatBelow = 96;
/** What a chain holds at most, unless they are all of one address. */
const bucketSize = 8;
const bitsPerDigit = 3;
const addressBits: { readonly [family in IPFamily]: number } = { ipv4: 32, ipv6: 128 };

/** Whether so many frontends are dispatched by a tree. */
export function needsTree(frontends: number, hasTree: boolean): boolean {
  return frontends >= (hasTree ? flatBelow : treeFrom);
}

interface Frontend {
  readonly address: string;
  /** The address in octal digits, from the left: what begins with the same digits is in the same network. */
  readonly digits: string;
  readonly rule: FormattedDispatchRule;
}

/** All frontends with the same first digits: a part of the sorted list. `prefix` names its chain. */
interface Bucket {
  readonly prefix: string;
  readonly from: number;
  readonly end: number;
}

/** What is to be done about the buckets' chains after a change. */
export interface TreeChange {
  /** What is referred to comes first. */
  readonly written: readonly FormattedChain[];
  readonly stale: readonly string[];
}

/** The frontends of one family, sorted, and the chains of their buckets. */
export class DispatchTree {
  #list: Frontend[] = [];
  /** The number of rules of each bucket's chain. */
  #chains = new Map<string, number>();
  #sorted = true;

  get size(): number {
    return this.#list.length;
  }

  /** Chains besides that of the root, with their number of rules. */
  get chains(): ReadonlyMap<string, number> {
    return this.#chains;
  }

  /** For the first fill; the chains are made by `rebuild`. */
  fill(rule: FormattedDispatchRule): void {
    this.#list.push(frontendOf(rule));
    this.#sorted = false;
  }

  /** All rules as one list in one chain. */
  flat(): FormattedDispatchRule[] {
    this.#sort();
    return this.#list.map(({ rule }) => rule).sort(compareDispatch);
  }

  /** The root's own rules. */
  rootRules(): readonly string[] {
    this.#sort();
    return this.#list.length === 0 ? [] : this.#rulesOf(this.#root(), true);
  }

  /** Every bucket's chain; what is referred to comes first. */
  *rebuild(): Generator<FormattedChain> {
    this.#sort();
    this.#chains = new Map();
    if (this.#list.length === 0) return;
    for (const child of this.#childrenOf(this.#root(), true)) yield* this.#build(child);
  }

  /** No chain stands any more. */
  forgetChains(): void {
    this.#chains = new Map();
  }

  /** Takes frontends in and out without a look at chains, for as long as there is no tree. */
  replace(added: readonly FormattedDispatchRule[], removed: readonly FormattedDispatchRule[]): void {
    for (const rule of removed) this.#take(frontendOf(rule));
    for (const rule of added) this.#put(frontendOf(rule));
  }

  /** The same with a tree that stands. The root is not among the chains written: ask `rootRules`. */
  change(added: readonly FormattedDispatchRule[], removed: readonly FormattedDispatchRule[]): TreeChange {
    const digits = [...added, ...removed].map((rule) => frontendOf(rule).digits);
    const before = this.#around(digits);
    this.replace(added, removed);
    const after = this.#around(digits);
    const written = [...after].filter(
      ([name, rules]) =>
        !isEqual(before.get(name)?.rules, rules.rules) && (before.has(name) || !this.#chains.has(name)),
    );
    const stale = [...before]
      .filter(([name, { prefix }]) => !after.has(name) && !this.#hasBucket(prefix))
      .map(([name]) => name);
    for (const name of stale) this.#chains.delete(name);
    for (const [name, { rules }] of written) this.#chains.set(name, rules.length);
    return { written: written.map(([name, { rules }]) => ({ table: 'nat', name, rules })), stale };
  }

  /**
   * The buckets on the way to addresses, and those that they lead to, by chain name; what is referred to comes first.
   */
  #around(addresses: readonly string[]): Map<string, { prefix: string; rules: readonly string[] }> {
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
    if (this.#list.length > 0) visit(this.#root(), addresses, true);
    return found;
  }

  #hasBucket(prefix: string): boolean {
    if (this.#list.length === 0) return false;
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
    this.#chains.set(name, rules.length);
    yield { table: 'nat', name, rules };
  }

  #root(): Bucket {
    return { prefix: '', from: 0, end: this.#list.length };
  }

  #rulesOf(bucket: Bucket, isRoot: boolean): readonly string[] {
    const children = this.#childrenOf(bucket, isRoot);
    if (children.length > 0)
      return children.map((child) =>
        formatRule({ matches: [to(this.#networkOf(child))], target: jumpTo(this.#nameOf(child)) }),
      );
    return this.#list.slice(bucket.from, bucket.end).map(({ rule }) => rule.rule);
  }

  /** None when the bucket holds its rules itself, which the root never does. */
  #childrenOf(bucket: Bucket, isRoot: boolean): readonly Bucket[] {
    const { from, end } = bucket;
    const first = this.#list[from]?.digits ?? '';
    const last = this.#list[end - 1]?.digits ?? '';
    if (!isRoot && (end - from <= bucketSize || first === last)) return [];
    const length = Math.min(sharedLength(first, last) + 1, first.length);
    const children: Bucket[] = [];
    for (let start = from; start < end;) {
      const prefix = this.#list[start]?.digits.slice(0, length) ?? '';
      // '8' sorts after every octal digit.
      const next = this.#firstNotBefore(`${prefix}8`);
      children.push({ prefix, from: start, end: next });
      start = next;
    }
    return children;
  }

  #firstNotBefore(digits: string): number {
    return firstIndex(this.#list, (each) => each.digits >= digits);
  }

  #nameOf(bucket: Bucket): string {
    const network = this.#networkOf(bucket);
    const [address = '', length = ''] = network.split('/');
    return `KUBE-SB-${familyOf(network) === 'ipv4' ? hexOf(address).toUpperCase() : nameHash(network)}-${length}`;
  }

  #networkOf({ prefix, from }: Bucket): string {
    const address = this.#list[from]?.address ?? '';
    const bits = Math.min(prefix.length * bitsPerDigit, addressBits[familyOf(address)]);
    const network =
      familyOf(address) === 'ipv4'
        ? ipaddr.IPv4.networkAddressFromCIDR(`${address}/${bits}`)
        : ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits}`);
    return `${network.toString()}/${bits}`;
  }

  #put(frontend: Frontend): void {
    this.#sort();
    this.#list.splice(
      firstIndex(this.#list, (each) => compareFrontends(each, frontend) >= 0),
      0,
      frontend,
    );
  }

  #take(frontend: Frontend): void {
    this.#sort();
    this.#list.splice(
      firstIndex(this.#list, (each) => compareFrontends(each, frontend) >= 0),
      1,
    );
  }

  #sort(): void {
    if (!this.#sorted) this.#list.sort(compareFrontends);
    this.#sorted = true;
  }
}

/** Whether a rule leads from an address of a Service to its chains. */
export function isFrontend({ table, chain, address }: FormattedDispatchRule): boolean {
  return table === 'nat' && chain === services && address !== undefined;
}

function frontendOf(rule: FormattedDispatchRule): Frontend {
  const address = rule.address ?? '';
  return { address, digits: octalDigits(address), rule };
}

/** 11 digits of an IPv4 address and 43 of an IPv6 one: a whole number of digits holds one bit more. */
function octalDigits(address: string): string {
  const bits = addressBits[familyOf(address)];
  const digits = Math.ceil(bits / bitsPerDigit);
  return (BigInt(`0x${hexOf(address)}`) << BigInt(digits * bitsPerDigit - bits)).toString(8).padStart(digits, '0');
}

function hexOf(address: string): string {
  return Buffer.from(ipaddr.parse(address).toByteArray()).toString('hex');
}

function compareFrontends(a: Frontend, b: Frontend): number {
  if (a.digits !== b.digits) return a.digits < b.digits ? -1 : 1;
  return compareDispatch(a.rule, b.rule);
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

function firstIndex<Item>(list: readonly Item[], isAtOrAfter: (item: Item) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = list[middle];
    if (there !== undefined && !isAtOrAfter(there)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isEqual(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a !== undefined && a.length === b.length && a.every((rule, index) => rule === b[index]);
}
