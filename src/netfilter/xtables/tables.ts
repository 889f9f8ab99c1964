/**
 * What the kernel's tables hold of ours, as data.
 */
import type { ChainId, Table } from './chain.ts';
import type { Ownership } from './ownership.ts';

/** A chain of ours in the kernel. */
export interface ExistingChain extends ChainId {
  /** Number of rules. */
  readonly rules: number;
  /** `digestOfSaveFormat` of them. */
  readonly digest: string;
}

export interface TablesView {
  /** By which it was read. */
  readonly ownership: Ownership;
  /** Those of ours, by `chainKey`. */
  readonly chains: ReadonlyMap<string, ExistingChain>;
  /** Rules of the kernel's and of other programs' chains that lead into ours. */
  readonly references: readonly Reference[];
  /** Number of rules in all three tables, everybody's. */
  readonly rules: number;
  /** kubelet marks the variant that the node uses with an empty chain. */
  readonly hasKubeletMark: boolean;
}

/** A rule in a chain that is not ours, with one of ours as its target. */
export interface Reference {
  readonly table: Table;
  readonly from: string;
  readonly to: string;
  /** Whether it is only for the first packet of a connection. */
  readonly onlyNew: boolean;
  /** The rule as iptables-save words it, without `-A CHAIN`. */
  readonly rule: string;
}

/** `table name`: a chain of one name may stand in several tables. */
export function chainKey({ table, name }: ChainId): string {
  return `${table} ${name}`;
}
