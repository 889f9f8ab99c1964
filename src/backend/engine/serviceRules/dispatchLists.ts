/**
 * The sorted lists of rules in dispatch chains: by what they are known, and where a rule stands in one.
 */
import type { ChainId } from '../../../netfilter/xtables/chain.ts';
import { clusterIPsCheck, services } from '../kubeChains.ts';
import { firstIndex } from './firstIndex.ts';
import { compareDispatch, type FormattedDispatchRule } from './format.ts';

/** By what a dispatch chain is known. */
export function dispatchKey({ table, name }: ChainId): string {
  return `${table} ${name}`;
}

/** Of the chain whose rules lead from addresses to the chains of their Service. */
export const frontendsKey = dispatchKey({ table: 'nat', name: services });
/** Of the chain that unused cluster IPs are checked in. */
export const checkKey = dispatchKey({ table: 'filter', name: clusterIPsCheck });

/** The index at which a rule stands, or is to stand, in the sorted list. */
export function firstNotBefore(list: readonly FormattedDispatchRule[], rule: FormattedDispatchRule): number {
  return firstIndex(list, (each) => compareDispatch(each, rule) >= 0);
}
