/**
 * The cluster IPs of Services in filter KUBE-CLUSTER-IPS-CHECK, by a tree of chains where they are many: so a Service
 * that comes or goes costs a bucket, and no tool has to read a chain of all.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
import { clusterIPsCheck } from '../kubeChains.ts';
import { DispatchTree, type TreeChange } from './dispatchTree.ts';
import type { FormattedDispatchRule } from './format.ts';

/** Whether a rule leads from the cluster IP of a Service to where unused ports are refused. */
export function isClusterIPRule({ table, chain }: FormattedDispatchRule): boolean {
  return table === 'filter' && chain === clusterIPsCheck;
}

/**
 * Larger buckets than those of frontends: only packets that are refused or dropped meet them, and the fewer chains, the
 * sooner a table is written and read back.
 */
const maxRulesInBucket = 32;

/** Belongs to one ServiceChains. */
export class ClusterIPs {
  #made: readonly FormattedChain[] = [];
  readonly #tree = new DispatchTree({ table: 'filter', maxRulesInBucket, rootHoldsRules: true });

  /** Takes a rule in before `finishFill`. */
  fill(rule: FormattedDispatchRule): void {
    this.#tree.fill(rule);
  }

  /** The rules of KUBE-CLUSTER-IPS-CHECK before those of the plan. */
  rootRules(): readonly string[] {
    return this.#tree.rootRules();
  }

  /** Makes every other chain, when all rules are filled in. */
  finishFill(): void {
    this.#made = [...this.#tree.rebuild()];
  }

  /** Gives these chains once; what is referred to comes first. */
  takeChains(): readonly FormattedChain[] {
    const made = this.#made;
    this.#made = [];
    return made;
  }

  /** Names of these, with their number of rules. */
  get chainSizes(): ReadonlyMap<string, number> {
    return this.#tree.chainSizes;
  }

  /** Takes rules in and out. `rootChain`: gives KUBE-CLUSTER-IPS-CHECK as it is then; it is written where it changes. */
  change(
    added: readonly FormattedDispatchRule[],
    removed: readonly FormattedDispatchRule[],
    rootChain: () => readonly FormattedChain[],
  ): TreeChange {
    if (added.length === 0 && removed.length === 0) return { written: [], stale: [] };
    const before = this.#tree.rootRules();
    const { written, stale } = this.#tree.change(added, removed);
    const isSame = isDeepStrictEqual(before, this.#tree.rootRules());
    return { written: isSame ? written : [...written, ...rootChain()], stale };
  }
}
