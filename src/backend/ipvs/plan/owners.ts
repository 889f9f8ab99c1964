/**
 * The owners of kernel objects: who wants which. Two Service ports may want the same object: an address of several
 * ports, a hairpin entry of a shared endpoint, or one address and port. It stands as long as it has an owner, in the
 * shape that the first of them (by name) asks for.
 */
export class Owners<Value> {
  /** Nearly every object has one owner; only then is there no map, which saves most of the memory. */
  readonly #byObject = new Map<string, Owned<Value> | Map<string, Value>>();

  /** Makes `owner` an owner that asks for `value`, in place of what it asked for before. */
  add(object: string, owner: string, value: Value): void {
    const byObject = this.#byObject.get(object);
    if (byObject instanceof Map) byObject.set(owner, value);
    else if (byObject === undefined || byObject.owner === owner) this.#byObject.set(object, { owner, value });
    else
      this.#byObject.set(
        object,
        new Map([
          [byObject.owner, byObject.value],
          [owner, value],
        ]),
      );
  }

  /** Takes an owner away; one that is none changes nothing. */
  remove(object: string, owner: string): void {
    const byObject = this.#byObject.get(object);
    if (byObject instanceof Map) byObject.delete(owner);
    const isLast = byObject instanceof Map ? byObject.size === 0 : byObject?.owner === owner;
    if (isLast) this.#byObject.delete(object);
  }

  /** Whether the object has an owner, at a cost that does not grow with their number. */
  isDesired(object: string): boolean {
    return this.#byObject.has(object);
  }

  /** What the object must be: the value of the first owner by name; undefined when it has none. */
  desired(object: string): Value | undefined {
    const byObject = this.#byObject.get(object);
    if (!(byObject instanceof Map)) return byObject?.value;
    let first: string | undefined;
    for (const owner of byObject.keys()) if (first === undefined || owner < first) first = owner;
    return first === undefined ? undefined : byObject.get(first);
  }
}

interface Owned<Value> {
  readonly owner: string;
  readonly value: Value;
}
