/**
 * @module Everything that a node serves in one IP family, computed from records on demand: nothing is held that a
 * record can give again.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { EndpointSliceRecord } from './endpointSlice.ts';
import type { IPFamily } from './ipFamily.ts';
import type { AddressClaims } from './addressClaims.ts';
import type { NodeRecord } from './node.ts';
import { type ClusterIPRanges, clusterIPRangesOf, type ClusterIPSources, noClusterIPs } from './clusterIPRanges.ts';
import type { ServiceKey, ServiceRecord } from './service.ts';
import type { ServicePort } from './servicePort.ts';
import { servicePorts } from './servicePorts.ts';
import { noSize, serviceSize, type ServiceSize } from './serviceSize.ts';

/** What a backend is given to sync from; a view that changes with the records. */
export interface ServiceState {
  readonly family: IPFamily;
  readonly node: NodeRecord;
  readonly config: NodeConfig;
  /** Of this family, without those that are no place of Services alone on this node. */
  readonly clusterIPRanges: ClusterIPRanges;
  /** All Services with a record, sorted. */
  keys(): Iterable<ServiceKey>;
  /** The Service's ports in this family; empty when it is gone or has no address of the family. */
  ports(key: ServiceKey): readonly ServicePort[];
  /** How much `ports` may give at most, without computing it. */
  size(key: ServiceKey): ServiceSize;
}

/** The records that a node keeps, as its store holds them. */
export interface ServiceSources {
  readonly services: ReadonlyMap<ServiceKey, ServiceRecord>;
  /** By Service. */
  readonly slices: ReadonlyMap<ServiceKey, readonly EndpointSliceRecord[]>;
  readonly node: NodeRecord;
  readonly config: NodeConfig;
  readonly family: IPFamily;
  readonly claims?: Pick<AddressClaims, 'ownerOf'>;
  /** None without it. */
  readonly clusterIPs?: ClusterIPSources;
}

const noSlices: readonly EndpointSliceRecord[] = [];

/** A view on the records, not a copy: it sees what the maps hold when it is asked. */
export function serviceStateOf(sources: ServiceSources): ServiceState {
  const { services, slices, node, config, family, claims, clusterIPs = noClusterIPs } = sources;
  return {
    family,
    node,
    config,
    clusterIPRanges: clusterIPRangesOf(clusterIPs, { node, config }, family),
    keys: () => [...services.keys()].sort(),
    ports: (key) => {
      const service = services.get(key);
      return service === undefined
        ? []
        : servicePorts({ service, slices: slices.get(key) ?? noSlices, node, config, family, claims });
    },
    size: (key) => {
      const service = services.get(key);
      return service === undefined ? noSize : serviceSize(service, slices.get(key) ?? noSlices, family);
    },
  };
}

/** The same state; `onPorts` is called with each answer that `ports` gives. */
export function observedState(
  { family, node, config, clusterIPRanges, ...state }: ServiceState,
  onPorts: (key: ServiceKey, ports: readonly ServicePort[]) => void,
): ServiceState {
  return {
    family,
    node,
    config,
    clusterIPRanges,
    keys: () => state.keys(),
    size: (key) => state.size(key),
    ports: (key) => {
      const ports = state.ports(key);
      onPorts(key, ports);
      return ports;
    },
  };
}
