/**
 * What the store knows of cluster IPs: the ranges that they are taken from, as far as nothing else is in them.
 *
 * A range in which an endpoint lies holds more than cluster IPs, whatever its ServiceCIDR says: Pods of an address pool
 * that overlaps it, nodes, the API server. filter sees a connection to an endpoint behind nat, so such a range is left
 * out: nothing that is served may be dropped. It stays so until the ranges change, for Pods come and go.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import { shortList } from '../../api/shortList.ts';
import { type ClusterIPSources, noClusterIPs } from '../../model/clusterIPRanges.ts';
import type { EndpointSliceRecord } from '../../model/endpointSlice.ts';
import { cidrContains, containsAddress } from '../../model/ipFamily.ts';

/** `ClusterIPs` False where endpoints lie in ranges of cluster IPs; `shared`: those. */
export function clusterIPsCondition(shared: readonly string[]): readonly NodeConditionNow[] {
  if (shared.length === 0) return [];
  const message = `Endpoints have addresses in ${shortList(shared, 3)}, which ServiceCIDRs give to cluster IPs: unused cluster IPs there are neither refused nor dropped. Give Pods, nodes and Services networks of their own.`;
  return [{ type: 'ClusterIPs', status: 'False', reason: 'RangeShared', message }];
}

export class ClusterIPs {
  #known = noClusterIPs;
  #usable = noClusterIPs;
  readonly #shared = new Set<string>();
  #isInRange: (address: string) => boolean = () => false;

  /** What rules may be about: without ranges that are shared, and without other proxies' addresses outside of ranges. */
  get usable(): ClusterIPSources {
    return this.#usable;
  }

  /** Networks that hold endpoints, too; sorted. */
  get shared(): readonly string[] {
    return [...this.#shared].sort();
  }

  /** Takes over what the API server says; returns whether `usable` is another. */
  set(known: ClusterIPSources, slices: Iterable<EndpointSliceRecord>): boolean {
    const before = this.#usable;
    const hasOtherRanges = !isDeepStrictEqual(known.networks, this.#known.networks);
    this.#known = known;
    if (hasOtherRanges) this.#shared.clear();
    this.#refresh();
    if (hasOtherRanges) for (const slice of slices) this.observe(slice);
    return !isDeepStrictEqual(before, this.#usable);
  }

  /**
   * Returns whether `usable` is another. The first endpoint speaks for its slice: those of a slice have their addresses
   * from one pool, and each costs some microseconds, of 10,000 slices.
   */
  observe({ endpoints: [first] }: Pick<EndpointSliceRecord, 'endpoints'>): boolean {
    if (first === undefined || !this.#isInRange(first.address)) return false;
    for (const network of this.#usable.networks) if (cidrContains(network, first.address)) this.#shared.add(network);
    this.#refresh();
    return true;
  }

  #refresh(): void {
    const networks = this.#known.networks.filter((network) => !this.#shared.has(network));
    this.#isInRange = containsAddress(networks);
    this.#usable = { networks, foreign: this.#known.foreign.filter(this.#isInRange) };
  }
}
