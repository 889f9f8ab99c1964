/**
 * What our chains said when they were last read, so that a rule which somebody put in another one's place is noticed.
 * Both readings are in the kernel's own words, so no wording of any version of the tool has to be known; 8 bytes are
 * kept of a chain.
 */
import { type ExistingChain, type TablesView, unknownDigest } from './tables.ts';
import type { ChainId, Table } from './chain.ts';

/** More than these between two readings, and nothing is compared until the next one. */
const maxWritten = 2000;

export class ChainDigests {
  /** Of every chain at the last reading, sorted. */
  #marks = new Float64Array();
  /** Chains that were written since then: what they say now is known only when they are read again. */
  readonly #written = new Set<string>();

  /** Takes what was read for what ours say; forgets what was written before. */
  learn({ chains }: Pick<TablesView, 'chains'>): void {
    this.#written.clear();
    this.#marks = Float64Array.from(chains.values(), markOf).sort();
  }

  /** What these chains say is not known until the next reading. */
  noteWritten(chains: Iterable<ChainId>): void {
    for (const chain of chains) if (this.#written.size <= maxWritten) this.#written.add(idOf(chain));
  }

  /** Whether the chain says something else than when it was last read, and not by our doing. */
  isEdited(chain: ExistingChain): boolean {
    if (chain.digest === unknownDigest) return false;
    const isOurs = this.#written.size > maxWritten || this.#written.has(idOf(chain));
    return !isOurs && !includes(this.#marks, markOf(chain));
  }
}

function idOf({ table, name }: ChainId): string {
  return `${table} ${name}`;
}

/** 52 bits of a chain's name and rules. */
function markOf({ table, name, digest }: ExistingChain): number {
  let [high, low] = [Math.floor(digest / 2 ** 26) ^ tableMarks[table], digest % 2 ** 26];
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    high = Math.imul(high ^ code, 0x01_00_01_93);
    low = Math.imul(low ^ code, 0x85_eb_ca_6b);
  }
  return (high >>> 6) * 2 ** 26 + (low >>> 6);
}

const tableMarks: { readonly [table in Table]: number } = { filter: 1, nat: 2, mangle: 3 };

function includes(sorted: Float64Array, value: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}
