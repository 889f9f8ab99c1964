/**
 * Number and hash of many rules, kept by adding and subtracting. The hash is the sum of the chains' own, so that it
 * does not depend on an order.
 */
import type { Table } from './chain.ts';
import type { FormattedChain } from './formattedChain.ts';
import { digestOf } from './formattedChain.ts';

interface CountedChain {
  readonly table: Table;
  /** Number of rules. */
  readonly rules: number;
  /** As `digestOf` gives it. */
  readonly digest: string;
}

export class RulesTally {
  readonly #rules: Record<Table, number> = { filter: 0, nat: 0, mangle: 0 };
  #digest = 0n;

  /** Number of rules. */
  get byTable(): Readonly<Record<Table, number>> {
    return this.#rules;
  }

  /** 64 bits, equal for equal rules. */
  get digest(): bigint {
    return this.#digest;
  }

  addChain(chain: FormattedChain): void {
    this.count({ table: chain.table, rules: chain.rules.length, digest: digestOf(chain) }, 1);
  }

  /** Adds a chain, or takes it from the sums. */
  count({ table, rules, digest }: CountedChain, sign: 1 | -1): void {
    this.#rules[table] += sign * rules;
    this.#digest = BigInt.asUintN(64, this.#digest + BigInt(sign) * BigInt(`0x${digest}`));
  }
}

/** 16 hexadecimal digits of the sum of some digests. */
export function hexDigest(...digests: readonly bigint[]): string {
  const sum = digests.reduce((total, digest) => total + digest, 0n);
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}
