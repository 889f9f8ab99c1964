/**
 * The entries of all sets: who wants them, which are there, and when a set has to be replaced by a larger one.
 */
import type { Changes } from './changes.ts';
import { Claims } from './claims.ts';
import type { PresentSet } from './kernelState.ts';
import type { Entry, SetId } from './sets.ts';
import { canBeFull, firstMaxElements, setIds } from './sets.ts';

/** `set entry`, to name an entry of any set. */
type EntryKey = string;

const addressGuard: SetId = 'KUBE-IPVS-IPS';

export class SetKeeper {
  readonly #present: Map<SetId, PresentSet>;
  readonly #claims = new Claims<true>();
  readonly #guarded = new Set<string>();
  #touched = new Map<EntryKey, Entry>();
  readonly #missing: readonly SetId[];
  #isNew = true;

  constructor(present: Map<SetId, PresentSet>) {
    this.#present = present;
    this.#missing = setIds.filter((id) => !present.has(id));
    for (const [set, { entries }] of present)
      if (set !== addressGuard) for (const value of entries) this.#touch({ set, value });
  }

  claim(entry: Entry, owner: string, wants: boolean): void {
    const key = keyOf(entry);
    if (wants) this.#claims.add(key, owner, true);
    else this.#claims.remove(key, owner);
    this.#touch(entry);
  }

  /**
   * The set of guarded addresses follows the device's, and is printed with them; only its size is looked after here.
   */
  guard(address: string, isWanted: boolean): void {
    if (isWanted) this.#guarded.add(address);
    else this.#guarded.delete(address);
  }

  #touch(entry: Entry): void {
    this.#touched.set(keyOf(entry), entry);
  }

  reconcile(changes: Changes): void {
    if (this.#isNew) this.#createMissing(changes);
    const bySet = new Map<SetId, Entry[]>();
    for (const entry of this.#touched.values()) {
      const list = bySet.get(entry.set) ?? [];
      list.push(entry);
      bySet.set(entry.set, list);
    }
    for (const [id, entries] of bySet) this.#reconcileSet(id, entries, changes);
    this.#reconcileGuard(changes);
    this.#touched = new Map();
    this.#isNew = false;
  }

  #createMissing({ sets }: Changes): void {
    for (const id of this.#missing) {
      sets.push({ id, maxElements: firstMaxElements });
      this.#present.set(id, { maxElements: firstMaxElements, entries: new Set() });
    }
  }

  #reconcileSet(id: SetId, touched: readonly Entry[], changes: Changes): void {
    const present = this.#setOf(id);
    const isWanted = (entry: Entry): boolean => this.#claims.isWanted(keyOf(entry));
    const added = touched.filter((entry) => isWanted(entry) && !present.entries.has(entry.value));
    const removed = touched.filter((entry) => !isWanted(entry) && present.entries.has(entry.value));
    // New entries go in before old ones go out.
    const most = present.entries.size + added.length;
    for (const { value } of added) present.entries.add(value);
    for (const { value } of removed) present.entries.delete(value);
    if (this.#enlarge(id, most, changes)) return;
    for (const entry of added) changes.entries.added.push(entry);
    for (const entry of removed) changes.entries.removed.push(entry);
  }

  #reconcileGuard(changes: Changes): void {
    const { entries } = this.#setOf(addressGuard);
    const { added, removed } = changes.addresses;
    for (const address of added) entries.add(address);
    this.#repairGuard(entries, changes);
    this.#enlarge(addressGuard, entries.size, changes);
    for (const address of removed) entries.delete(address);
  }

  /** Entries that are missing for addresses that stand, and those of no address at all. */
  #repairGuard(entries: Set<string>, { addresses, entries: changed }: Changes): void {
    if (!this.#isNew) return;
    const going = new Set(addresses.removed);
    for (const value of this.#guarded) if (!entries.has(value)) changed.added.push({ set: addressGuard, value });
    for (const value of entries)
      if (!this.#guarded.has(value) && !going.has(value)) changed.removed.push({ set: addressGuard, value });
    for (const { set, value } of changed.added) if (set === addressGuard) entries.add(value);
    for (const { set, value } of changed.removed) if (set === addressGuard) entries.delete(value);
  }

  #enlarge(id: SetId, most: number, { enlarged }: Changes): boolean {
    const present = this.#setOf(id);
    if (!canBeFull(id) || most <= present.maxElements) return false;
    const maxElements = 2 ** Math.ceil(Math.log2(most + 1));
    this.#present.set(id, { maxElements, entries: present.entries });
    enlarged.push({ id, maxElements, values: [...present.entries] });
    return true;
  }

  #setOf(id: SetId): PresentSet {
    const present = this.#present.get(id) ?? { maxElements: firstMaxElements, entries: new Set() };
    this.#present.set(id, present);
    return present;
  }
}

function keyOf({ set, value }: Entry): EntryKey {
  return `${set} ${value}`;
}
