/**
 * Who wants which kernel object. Two Services may want the same one: an address of several ports, a hairpin entry of a
 * shared endpoint, or an address and port that both claim. It stands as long as somebody wants it, in the shape that
 * the first of them (by name) asks for.
 */
export class Claims<Value> {
  /** Nearly every object has one claimant; only then is there no map, which saves most of the memory. */
  readonly #claims = new Map<string, Claim<Value> | Map<string, Value>>();

  add(object: string, owner: string, value: Value): void {
    const claims = this.#claims.get(object);
    if (claims instanceof Map) claims.set(owner, value);
    else if (claims === undefined || claims.owner === owner) this.#claims.set(object, { owner, value });
    else
      this.#claims.set(
        object,
        new Map([
          [claims.owner, claims.value],
          [owner, value],
        ]),
      );
  }

  remove(object: string, owner: string): void {
    const claims = this.#claims.get(object);
    if (claims instanceof Map) claims.delete(owner);
    const isLast = claims instanceof Map ? claims.size === 0 : claims?.owner === owner;
    if (isLast) this.#claims.delete(object);
  }

  /** At a cost that does not grow with the number of claimants. */
  isWanted(object: string): boolean {
    return this.#claims.has(object);
  }

  /** What the object must be; undefined when nobody wants it. */
  wanted(object: string): Value | undefined {
    const claims = this.#claims.get(object);
    if (!(claims instanceof Map)) return claims?.value;
    let first: string | undefined;
    for (const owner of claims.keys()) if (first === undefined || owner < first) first = owner;
    return first === undefined ? undefined : claims.get(first);
  }
}

interface Claim<Value> {
  readonly owner: string;
  readonly value: Value;
}
