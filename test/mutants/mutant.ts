/** @module One decision of the product, broken in one place, with the test that must notice. */
export interface Mutant {
  /** What the broken product does. */
  readonly name: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly test: string;
  /** Part of the full name of the test that must fail: whatever else fails does not count. */
  readonly killer: string;
}
