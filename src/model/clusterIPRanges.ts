/**
 * Where cluster IPs come from: by this a node knows an address that a Service could have and none has.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import { cidrsOverlap, containsAddress, familyOf, type IPFamily } from './ipFamily.ts';
import type { NodeRecord } from './node.ts';

/** As the API server has them, in both families; canonical. */
export interface ClusterIPSources {
  /** Of all ServiceCIDRs, also of those that are being deleted: these stay as long as an address of theirs is in use. */
  readonly networks: readonly string[];
  /** The cluster IPs of Services that another proxy serves. */
  readonly foreign: readonly string[];
}

/** In one family. Without networks, no rule is about cluster IPs that no Service has. */
export interface ClusterIPRanges {
  /** Canonical, sorted. */
  readonly networks: readonly string[];
  /** Addresses in them that are another proxy's; canonical, sorted. */
  readonly foreign: readonly string[];
}

export const noClusterIPs: ClusterIPSources = { networks: [], foreign: [] };

/**
 * Each is a rule that every new connection is compared with; a cluster has one or a few. What is more is left out, which
 * drops less.
 */
const maxNetworks = 32;

/** Each is a rule. With more there are none at all, for what another proxy serves must not be dropped. */
const maxForeign = 1000;

/**
 * The ranges that a node's rules may be about. One that holds an address of the node or of its Pods is left out: what is
 * sent there is not for a Service alone.
 */
export function clusterIPRangesOf(
  { networks, foreign }: ClusterIPSources,
  { node, config }: { readonly node: NodeRecord; readonly config: NodeConfig },
  family: IPFamily,
): ClusterIPRanges {
  const taken = [...node.addresses, ...node.podCIDRs, ...(config.localTraffic?.clusterCIDRs ?? [])];
  const isFree = (network: string): boolean => taken.every((each) => !cidrsOverlap(network, each));
  const usable = [...new Set(networks)].filter((network) => familyOf(network) === family && isFree(network)).sort();
  const kept = usable.slice(0, maxNetworks);
  const inside = [...new Set(foreign)].filter(containsAddress(kept));
  return inside.length > maxForeign ? { networks: [], foreign: [] } : { networks: kept, foreign: inside.sort() };
}
