/**
 * Who wants which kernel object. Two Services may want the same one: an address of several ports, a hairpin entry of a
 * shared endpoint, or an address and port that both claim. It stands as long as somebody wants it, in the shape that
 * the first of them (by name) asks for.
 */
export class Owners<Value> {
  /** Nearly every object has one claimant; only then is there no map, which saves most of the memory. */
  readonly #byObject = new Map<string, Owned<Value> | Map<string, Value>>();

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

  remove(object: string, owner: string): void {
    const byObject = this.#byObject.get(object);
    if (byObject instanceof Map) byObject.delete(owner);
    const isLast = byObject instanceof Map ? byObject.size === 0 : byObject?.owner === owner;
    if (isLast) this.#byObject.delete(object);
  }

  /** At a cost that does not grow with the number of claimants. */
  isDesired(object: string): boolean {
    return this.#byObject.has(object);
  }

  /** What the object must be; undefined when nobody wants it. */
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
