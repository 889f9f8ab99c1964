/**
 * What the kernel's tables hold of ours, as data.
 */
import type { ChainId, Table } from './chain.ts';
import type { Ownership } from './ownership.ts';

/**
 * Of a chain of which it is not known what its rules say: its table was read by nft, or its rules are not listed
 * together, which no version of the tool does.
 */
export const unknownDigest = -1;

/** A chain of ours in the kernel. */
export interface ExistingChain extends ChainId {
  /** Number of rules. */
  readonly rules: number;
  /** `digestOfSaveFormat` of them, or `unknownDigest`. */
  readonly digest: number;
}

/** Values by chain: one of one name may stand in several tables. */
export interface ReadonlyChainMap<Value> {
  get(chain: ChainId): Value | undefined;
  has(chain: ChainId): boolean;
  readonly size: number;
  values(): Iterable<Value>;
}

/** One map for each table: no key has to be made of table and name, of tens of thousands. */
export class ChainMap<Value> implements ReadonlyChainMap<Value> {
  readonly #tables: { readonly [table in Table]: Map<string, Value> } = {
    filter: new Map(),
    nat: new Map(),
    mangle: new Map(),
  };

  get({ table, name }: ChainId): Value | undefined {
    return this.#tables[table].get(name);
  }

  has({ table, name }: ChainId): boolean {
    return this.#tables[table].has(name);
  }

  set({ table, name }: ChainId, value: Value): void {
    this.#tables[table].set(name, value);
  }

  get size(): number {
    return Object.values(this.#tables).reduce((sum, { size }) => sum + size, 0);
  }

  *values(): Generator<Value> {
    for (const table of Object.values(this.#tables)) yield* table.values();
  }
}

export interface TablesView {
  /** By which it was read. */
  readonly ownership: Ownership;
  /** Those of ours. */
  readonly chains: ReadonlyChainMap<ExistingChain>;
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
