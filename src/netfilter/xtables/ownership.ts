/**
 * How what is ours is recognized in the kernel's tables, by name alone: so an agent finds what was written before it
 * started, by itself or by another writer with the same names.
 */
import type { ChainId, Jump } from './chain.ts';

export interface Ownership {
  /** Whether a chain of this name is ours, whoever made it. */
  isOwn(chain: ChainId): boolean;
  /** All jumps from the kernel's own chains that may be ours. */
  readonly jumps: readonly Jump[];
  /** Names of chains of ours that stand beside the rules of another writer: who put them up takes them away. */
  readonly kept: ReadonlySet<string>;
  /**
   * By name of a chain that other programs may lead to, the name of the one without which it does nothing. Where their
   * rules are to go on to work, that one and the jumps to it stay as well.
   */
  readonly completedBy: ReadonlyMap<string, string>;
}

/** But for the chains that whoever put them up takes away, and the jumps to them. */
export function withoutKept(ownership: Ownership): Ownership {
  return {
    ...ownership,
    isOwn: (chain) => !ownership.kept.has(chain.name) && ownership.isOwn(chain),
    jumps: ownership.jumps.filter(({ to }) => !ownership.kept.has(to)),
  };
}
