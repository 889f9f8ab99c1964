/**
 * The entries of all sets: which Service ports want them, which the kernel holds, and when a set has to be replaced by
 * a larger one.
 */
import type { ChangeSet } from './changeSet.ts';
import { Owners } from './owners.ts';
import type { ExistingSet } from '../../../netfilter/ipset/setReader.ts';
import type { Entry, SetId } from './sets.ts';
import { firstMaxElements, isBounded, setIds } from './sets.ts';

/** `set entry`, to name an entry of any set. */
type EntryKey = string;

const addressSet: SetId = 'KUBE-IPVS-IPS';

/** Of one IP family; a part of its DesiredState. */
export class DesiredSets {
  readonly #existing: Map<SetId, ExistingSet>;
  readonly #owners = new Owners<true>();
  readonly #trackedAddresses = new Set<string>();
  #dirty = new Map<EntryKey, Entry>();
  readonly #missing: readonly SetId[];
  #isNew = true;

  /** `existing`: what the kernel holds, which belongs to this object from now on and is changed by it. */
  constructor(existing: Map<SetId, ExistingSet>) {
    this.#existing = existing;
    this.#missing = setIds.filter((id) => !existing.has(id));
    for (const [set, { entries }] of existing)
      if (set !== addressSet) for (const value of entries) this.#markDirty({ set, value });
  }

  /** Whether an owner wants an entry from now on. */
  setOwner(entry: Entry, owner: string, isDesired: boolean): void {
    const key = keyOf(entry);
    if (isDesired) this.#owners.add(key, owner, true);
    else this.#owners.remove(key, owner);
    this.#markDirty(entry);
  }

  /**
   * Whether an address stands on kube-ipvs0. Its entry in KUBE-IPVS-IPS is added and removed by the lines of the
   * address (`formatChangeSet`); here that set is only kept large enough, and repaired once.
   */
  trackAddress(address: string, isDesired: boolean): void {
    if (isDesired) this.#trackedAddresses.add(address);
    else this.#trackedAddresses.delete(address);
  }

  #markDirty(entry: Entry): void {
    this.#dirty.set(keyOf(entry), entry);
  }

  /** Adds to a ChangeSet, which has the changes of addresses already, what its entries need. */
  reconcile(changes: ChangeSet): void {
    if (this.#isNew) this.#createMissing(changes);
    const bySet = new Map<SetId, Entry[]>();
    for (const entry of this.#dirty.values()) {
      const list = bySet.get(entry.set) ?? [];
      list.push(entry);
      bySet.set(entry.set, list);
    }
    for (const [id, entries] of bySet) this.#reconcileSet(id, entries, changes);
    this.#reconcileAddressSet(changes);
    this.#dirty = new Map();
    this.#isNew = false;
  }

  #createMissing({ sets }: ChangeSet): void {
    for (const id of this.#missing) {
      sets.push({ id, maxElements: firstMaxElements });
      this.#existing.set(id, { maxElements: firstMaxElements, entries: new Set() });
    }
  }

  #reconcileSet(id: SetId, dirty: readonly Entry[], changes: ChangeSet): void {
    const existing = this.#setOf(id);
    const isDesired = (entry: Entry): boolean => this.#owners.isDesired(keyOf(entry));
    const added = dirty.filter((entry) => isDesired(entry) && !existing.entries.has(entry.value));
    const removed = dirty.filter((entry) => !isDesired(entry) && existing.entries.has(entry.value));
    // New entries go in before old ones go out.
    const needed = existing.entries.size + added.length;
    for (const { value } of added) existing.entries.add(value);
    for (const { value } of removed) existing.entries.delete(value);
    if (this.#enlarge(id, needed, changes)) return;
    for (const entry of added) changes.entries.added.push(entry);
    for (const entry of removed) changes.entries.removed.push(entry);
  }

  #reconcileAddressSet(changes: ChangeSet): void {
    const { entries } = this.#setOf(addressSet);
    const { added, removed } = changes.addresses;
    for (const address of added) entries.add(address);
    this.#repairAddressSet(entries, changes);
    this.#enlarge(addressSet, entries.size, changes);
    for (const address of removed) entries.delete(address);
  }

  /** At the first time: entries that are missing for addresses that stand, and those of no address at all. */
  #repairAddressSet(entries: Set<string>, { addresses, entries: changed }: ChangeSet): void {
    if (!this.#isNew) return;
    const going = new Set(addresses.removed);
    for (const value of this.#trackedAddresses) if (!entries.has(value)) changed.added.push({ set: addressSet, value });
    for (const value of entries)
      if (!this.#trackedAddresses.has(value) && !going.has(value)) changed.removed.push({ set: addressSet, value });
    for (const { set, value } of changed.added) if (set === addressSet) entries.add(value);
    for (const { set, value } of changed.removed) if (set === addressSet) entries.delete(value);
  }

  /** Whether the set is too small and is replaced, with all that it is to hold. */
  #enlarge(id: SetId, needed: number, { enlarged }: ChangeSet): boolean {
    const existing = this.#setOf(id);
    if (!isBounded(id) || needed <= existing.maxElements) return false;
    const maxElements = 2 ** Math.ceil(Math.log2(needed + 1));
    this.#existing.set(id, { maxElements, entries: existing.entries });
    enlarged.push({ id, maxElements, values: [...existing.entries] });
    return true;
  }

  #setOf(id: SetId): ExistingSet {
    const existing = this.#existing.get(id) ?? { maxElements: firstMaxElements, entries: new Set() };
    this.#existing.set(id, existing);
    return existing;
  }
}

function keyOf({ set, value }: Entry): EntryKey {
  return `${set} ${value}`;
}
