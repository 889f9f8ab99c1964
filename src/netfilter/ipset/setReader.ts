/**
 * Reads `ipset save`: `create NAME TYPE OPTIONS`, then `add NAME ENTRY` for each entry.
 */
export interface ExistingSet {
  readonly maxElements: number;
  readonly entries: Set<string>;
}

/** Takes the lines one by one, and keeps those of some sets, by what the reader calls these. */
export class SetReader<Id> {
  readonly sets = new Map<Id, ExistingSet>();
  /** Of all sets of all owners. */
  readonly names = new Set<string>();
  readonly #ids: ReadonlyMap<string, Id>;

  /** `ids`: by name. */
  constructor(ids: ReadonlyMap<string, Id>) {
    this.#ids = ids;
  }

  read(line: string): void {
    const [action, name = '', value = ''] = line.split(' ', 3);
    if (action === 'create') this.names.add(name);
    const id = this.#ids.get(name);
    if (id === undefined) return;
    if (action === 'create') this.sets.set(id, { maxElements: maxElementsIn(line), entries: new Set() });
    else this.sets.get(id)?.entries.add(value);
  }
}

/** Without `maxelem` a set has no such bound. */
function maxElementsIn(line: string): number {
  return Number(/ maxelem (\d+)/.exec(line)?.[1] ?? Number.POSITIVE_INFINITY);
}
