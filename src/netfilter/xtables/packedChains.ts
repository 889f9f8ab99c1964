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

/** Of `digestOf`. */
const digestLength = 16;

/** In their order. */
export function packChains(chains: readonly FormattedChain[]): PackedChains {
  return chains.map((chain) => pack(chain.table, chain.name, chain.rules.length, digestOf(chain))).join(' ');
}

/** As `packChains`. */
export function packUnpacked(chains: readonly UnpackedChain[]): PackedChains {
  return chains.map(({ table, name, rules, digest }) => pack(table, name, rules, digest)).join(' ');
}

function pack(table: Table, name: string, rules: number, digest: string): string {
  return [table, name, rules, digest].join(' ');
}

/** Gives the chains in the order in which they were packed. */
export function* unpackChains(list: PackedChains): Generator<UnpackedChain> {
  for (let at = 0; at < list.length;) {
    const name = list.indexOf(' ', at) + 1;
    const nameEnd = list.indexOf(' ', name);
    const rulesEnd = list.indexOf(' ', nameEnd + 1);
    const end = rulesEnd + 1 + digestLength;
    yield {
      table: list.slice(at, name - 1) as Table,
      name: list.slice(name, nameEnd),
      rules: Number(list.slice(nameEnd + 1, rulesEnd)),
      digest: list.slice(rulesEnd + 1, end),
    };
    at = end + 1;
  }
}
