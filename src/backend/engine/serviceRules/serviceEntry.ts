/**
 * What is kept of one Service that the kernel holds, and how it differs from what the Service asks for now.
 */
import { compact } from '../../../model/compact.ts';
import type { ChainId } from '../../../netfilter/xtables/chain.ts';
import type { FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
import type { FormattedDispatchRule, FormattedServicePort } from './format.ts';
import type { PackedChains } from '../../../netfilter/xtables/packedChains.ts';
import { packChains, packUnpacked, unpackChains } from '../../../netfilter/xtables/packedChains.ts';

export interface ServiceEntry {
  readonly chains: PackedChains;
  readonly dispatch: readonly FormattedDispatchRule[];
  readonly endpoints: number;
}

/** Of a Service that has no rules. */
export const noEntry: ServiceEntry = { chains: '', dispatch: [], endpoints: 0 };

export function entryOf(servicePorts: readonly FormattedServicePort[]): ServiceEntry {
  return {
    chains: packChains(servicePorts.flatMap((servicePort) => servicePort.chains)),
    dispatch: compact(servicePorts.flatMap((servicePort) => servicePort.dispatch)),
    endpoints: servicePorts.reduce((sum, { endpoints }) => sum + endpoints, 0),
  };
}

/** The entry with these chains in place of those of the same names, or beside the others. */
export function withChains(entry: ServiceEntry, chains: readonly FormattedChain[]): ServiceEntry {
  const replaced = new Set(chains.map(({ name }) => name));
  const kept = [...unpackChains(entry.chains)].filter(({ name }) => !replaced.has(name));
  return { ...entry, chains: [packUnpacked(kept), packChains(chains)].filter((text) => text !== '').join(' ') };
}

function identity({ table, chain, rule }: FormattedDispatchRule): string {
  return [table, chain, rule].join('\n');
}

/** The rules of `list` that `known` does not have. */
export function missingFrom(
  known: readonly FormattedDispatchRule[],
  list: readonly FormattedDispatchRule[],
): readonly FormattedDispatchRule[] {
  const there = new Set(known.map(identity));
  return list.filter((rule) => !there.has(identity(rule)));
}

/** The chains that are new or hold other rules than before; what is referred to comes first. */
export function writtenChains(
  before: ServiceEntry,
  after: ServiceEntry,
  servicePorts: readonly FormattedServicePort[],
): readonly FormattedChain[] {
  const known = new Map([...unpackChains(before.chains)].map(({ name, digest }) => [name, digest]));
  const changed = new Set(
    [...unpackChains(after.chains)].filter(({ name, digest }) => known.get(name) !== digest).map(({ name }) => name),
  );
  return servicePorts.flatMap(({ chains }) => chains).filter(({ name }) => changed.has(name));
}

/** The chains that the Service had before and has no more. */
export function staleChains(before: ServiceEntry, after: ServiceEntry): readonly ChainId[] {
  const kept = new Set([...unpackChains(after.chains)].map(({ name }) => name));
  return [...unpackChains(before.chains)]
    .filter(({ name }) => !kept.has(name))
    .map(({ table, name }) => ({ table, name }));
}
