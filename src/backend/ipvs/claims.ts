/**
 * Who wants which kernel object. Two Services may want the same one: an address of several ports, a hairpin entry of a shared endpoint, or
 * an address and port that both claim. It stands as long as somebody wants it, in the shape that the first of them (by name) asks for.
 */
export class Claims<Value> {
  readonly #claims = new Map<string, Claim<Value>[]>();

  add(object: string, owner: string, value: Value): void {
    const others = this.#claims.get(object)?.filter((claim) => claim.owner !== owner) ?? [];
    this.#claims.set(object, [...others, { owner, value }].sort(byOwner));
  }

  remove(object: string, owner: string): void {
    const others = this.#claims.get(object)?.filter((claim) => claim.owner !== owner) ?? [];
    if (others.length === 0) this.#claims.delete(object);
    else this.#claims.set(object, others);
  }

  /** What the object must be; undefined when nobody wants it. */
  wanted(object: string): Value | undefined {
    return this.#claims.get(object)?.[0]?.value;
  }

  objects(): Iterable<string> {
    return this.#claims.keys();
  }
}

interface Claim<Value> {
  readonly owner: string;
  readonly value: Value;
}

function byOwner(a: Claim<unknown>, b: Claim<unknown>): number {
  return a.owner < b.owner ? -1 : 1;
}
