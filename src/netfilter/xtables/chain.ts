/**
 * Tables, chains and the jumps that lead to them, as data.
 */
import type { Rule } from './rule.ts';

export type Table = 'filter' | 'nat' | 'mangle';

/** A chain of one name may stand in several tables. */
export interface ChainId {
  readonly table: Table;
  readonly name: string;
}

export interface Chain extends ChainId {
  readonly rules: readonly Rule[];
}

/** A rule in a chain of the kernel's that leads to one of ours; put in front of whatever stands there. */
export interface Jump {
  readonly table: Table;
  readonly from: 'INPUT' | 'FORWARD' | 'OUTPUT' | 'PREROUTING' | 'POSTROUTING';
  readonly to: string;
  /** Only for the first packet of a connection. */
  readonly onlyNew: boolean;
  readonly comment: string;
}

export interface ChainSize extends ChainId {
  /** Number of rules. */
  readonly rules: number;
}

/** What the tables are to hold, as far as it is compared with what they hold. */
export interface DesiredChains {
  readonly jumps: readonly Jump[];
  /** Every chain. */
  chainSizes(): Iterable<ChainSize>;
}

/** Which of the kernel's two packet filters. */
export type IptablesVariant = 'nft' | 'legacy';
