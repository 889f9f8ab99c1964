/**
 * What the kernel's tables hold of ours, as data.
 */
import type { Table } from '../shared/chains.ts';
import type { ChainId } from './appliedChains.ts';

/** A chain of ours in the kernel. */
export interface ExistingChain extends ChainId {
  /** Number of rules. */
  readonly rules: number;
  /** `digestOfSaveFormat` of them. */
  readonly digest: string;
}

export interface TablesView {
  readonly chains: ReadonlyMap<string, ExistingChain>;
  /** Rules of the kernel's and of other programs' chains that lead into ours. */
  readonly references: readonly Reference[];
  /** Everybody's. */
  readonly rules: number;
  /** kubelet marks the variant that the node uses with an empty chain. */
  readonly hasKubeletMark: boolean;
}

export interface Reference {
  readonly table: Table;
  readonly from: string;
  readonly to: string;
  readonly onlyNew: boolean;
  /** The rule as iptables-save words it, without `-A CHAIN`. */
  readonly rule: string;
}

/** `table name`: a chain of one name may stand in several tables. */
export function chainKey({ table, name }: ChainId): string {
  return `${table} ${name}`;
}
