/**
 * Services whose change is more than a block of a transaction. Such a change is written a block at a time, and whoever
 * changes meanwhile is written in between: first the chains, to which nothing leads that led elsewhere before, and with
 * the last of them the rules that lead to them.
 */
import type { ServiceKey } from '../../../model/service.ts';
import type { FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
import { linesOf } from '../../../netfilter/xtables/transaction.ts';
import type { Turns } from '../turns.ts';
import type { FormattedServicePort } from './format.ts';
import type { Plan } from './plan.ts';
import type { ServiceChains } from './serviceChains.ts';

/** How far one change is. */
interface Progress {
  readonly servicePorts: readonly FormattedServicePort[];
  /** Those that are to be written yet; what is referred to comes first. */
  readonly chains: readonly FormattedChain[];
  /** How many are to be deleted in the end. */
  readonly stale: number;
}

/** What is to be written next of large changes. */
export interface LargeChangesStep {
  /** Services with all that is left of them. */
  readonly complete: ReadonlyMap<ServiceKey, readonly FormattedServicePort[]>;
  /** Chains of one that is not complete with them. */
  readonly ahead: readonly FormattedChain[];
}

/** Belongs to the ServiceChains that it changes, and is thrown away with it. */
export class LargeChanges {
  readonly #chains: ServiceChains;
  readonly #maxLines: number;
  /** In the order in which they are written; undefined before the first block, when nothing is planned. */
  readonly #services = new Map<ServiceKey, Progress | undefined>();

  constructor(chains: ServiceChains, maxLines: number) {
    this.#chains = chains;
    this.#maxLines = maxLines;
  }

  /** The Services that are not completely written. */
  get unfinished(): readonly ServiceKey[] {
    return [...this.#services.keys()];
  }

  /** Takes a Service in where its rules may be more than a block; returns whether it is in now. */
  take(key: ServiceKey, maxLines: () => number): boolean {
    if (!this.#services.has(key) && maxLines() > this.#maxLines) this.#services.set(key, undefined);
    return this.#services.has(key);
  }

  /** Plans the next block, and takes over into the chains what of it completes no Service. */
  *next(plan: Pick<Plan, 'rulesOf'>): Turns<LargeChangesStep> {
    const complete = new Map<ServiceKey, readonly FormattedServicePort[]>();
    let room = this.#maxLines;
    for (const key of this.unfinished) {
      const progress = this.#services.get(key) ?? (yield* this.#begin(key, plan));
      const ahead = firstBlock(progress.chains, room);
      if (ahead.length < progress.chains.length) {
        this.#chains.takeAhead(key, ahead);
        this.#services.set(key, { ...progress, chains: progress.chains.slice(ahead.length) });
        return { complete, ahead };
      }
      this.#services.delete(key);
      complete.set(key, progress.servicePorts);
      room -= linesOf(ahead) + progress.stale;
      if (room <= 0) break;
    }
    return { complete, ahead: [] };
  }

  *#begin(key: ServiceKey, plan: Pick<Plan, 'rulesOf'>): Turns<Progress> {
    const servicePorts = yield* plan.rulesOf(key);
    const { written, stale } = this.#chains.differing(key, servicePorts);
    return { servicePorts, chains: written, stale: stale.length };
  }
}

/** As many chains as a block should hold; at least one. */
function firstBlock(chains: readonly FormattedChain[], maxLines: number): readonly FormattedChain[] {
  let lines = 0;
  const end = chains.findIndex((chain) => (lines += linesOf([chain])) >= maxLines);
  return end < 0 ? chains : chains.slice(0, end + 1);
}
