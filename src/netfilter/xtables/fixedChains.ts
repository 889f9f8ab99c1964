/**
 * Chains that are written whole: a few of them, with all the rules that each is to hold.
 */
import type { Chain, ChainSize, DesiredChains, Jump, Table } from './chain.ts';
import type { FormattedChain } from './formattedChain.ts';
import { formatChain } from './formattedChain.ts';
import { RulesTally } from './rulesTally.ts';
import type { WriteChain } from './transaction.ts';

export interface FixedPlan {
  /** In the order of insertion: the last one inserted is looked at first. */
  readonly jumps: readonly Jump[];
  readonly chains: readonly Chain[];
}

/** A plan as text. It says nothing of the kernel: whoever has written it keeps it to compare with. */
export class FixedChains implements DesiredChains {
  readonly jumps: readonly Jump[];
  readonly tally = new RulesTally();
  readonly #chains: readonly FormattedChain[];

  /** Throws InvalidRule. */
  constructor({ jumps, chains }: FixedPlan) {
    this.jumps = jumps;
    this.#chains = chains.map(formatChain);
    for (const chain of this.#chains) this.tally.addChain(chain);
  }

  *chainSizes(): Generator<ChainSize> {
    for (const { table, name, rules } of this.#chains) yield { table, name, rules: rules.length };
  }

  /** In the order of the plan. */
  chainsOf(table: Table): readonly FormattedChain[] {
    return this.#chains.filter((chain) => chain.table === table);
  }

  /** For `fullTransaction`. */
  *pieces(table: Table, write: WriteChain): Generator<string> {
    for (const chain of this.chainsOf(table)) yield write(chain);
  }
}
