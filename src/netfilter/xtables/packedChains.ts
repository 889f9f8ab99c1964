/**
 * Some chains as one text: at tens of thousands of endpoints, objects for each would be most of what an
 * agent keeps.
 */
import type { Table } from './chain.ts';
import { digestOf, type FormattedChain } from './formattedChain.ts';

/** `TABLE NAME RULES DIGEST` of each chain, with blanks between. */
export type PackedChains = string;

export interface UnpackedChain {
  readonly table: Table;
  readonly name: string;
  /** Number of rules. */
  readonly rules: number;
  /** As `digestOf` gives it. */
  readonly digest: string;
}

/** In their order. */
export function packChains(chains: readonly FormattedChain[]): PackedChains {
  return chains.map((chain) => [chain.table, chain.name, chain.rules.length, digestOf(chain)].join(' ')).join(' ');
}

/** Gives the chains in the order in which they were packed. */
export function* unpackChains(list: PackedChains): Generator<UnpackedChain> {
  const words = list === '' ? [] : list.split(' ');
  for (let at = 0; at < words.length; at += 4) {
    const [table = '', name = '', rules = '', digest = ''] = words.slice(at, at + 4);
    yield { table: table as Table, name, rules: Number(rules), digest };
  }
}
