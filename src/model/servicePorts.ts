/**
 * From a Service's record and its slices to what the node serves of it.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import { ownValue } from '../api/ownValue.ts';
import { defaultAffinityTimeoutSeconds } from './decodeService.ts';
import { candidatesOf, categorizeEndpoints, countReadyLocalEndpoints } from './endpoints.ts';
import type { EndpointSliceRecord } from './endpointSlice.ts';
import type { AddressClaims } from './addressClaims.ts';
import { allowedExternalIPs } from './externalIPs.ts';
import { familyOf, ipFamilies, type IPFamily } from './ipFamily.ts';
import type { NodeRecord } from './node.ts';
import type { ServiceKey, ServicePortRecord, ServiceRecord } from './service.ts';
import { serviceKeyOf, type ServicePort } from './servicePort.ts';

/** One Service, with all that its ports depend on. */
export interface ServiceView {
  readonly service: ServiceRecord;
  readonly slices: Iterable<EndpointSliceRecord>;
  readonly node: NodeRecord;
  readonly config: NodeConfig;
  readonly family: IPFamily;
  /** Settles addresses that several Services claim; without it every claim counts. */
  readonly claims?: Pick<AddressClaims, 'ownerOf'> | undefined;
}

/**
 * What the node serves for one Service in one family, in the order of the Service's ports; empty without a cluster IP
 * of the family. External IPs that the configuration does not allow are left out, and addresses and ports that are
 * another Service's.
 */
export function servicePorts(view: ServiceView): readonly ServicePort[] {
  const { service, node, config, family } = view;
  const clusterIP = service.clusterIPs.find((address) => familyOf(address) === family);
  if (clusterIP === undefined) return [];
  const slices = [...view.slices];
  const allowed = allowedExternalIPs(service.externalIPs, config);
  const ofFamily = (list: readonly string[]): readonly string[] => [
    ...new Set(list.filter((each) => familyOf(each) === family)),
  ];
  const shared = {
    namespace: service.namespace,
    serviceName: service.name,
    clusterIP,
    hasRefusedExternalIPs: allowed.length < service.externalIPs.length,
    loadBalancerSourceRanges: ofFamily(service.loadBalancerSourceRanges),
    restrictsSources: service.loadBalancerSourceRanges.length > 0,
    internalTrafficPolicy: service.internalTrafficPolicy,
    externalTrafficPolicy: service.externalTrafficPolicy,
    affinityTimeoutSeconds: affinityTimeout(service.affinityTimeoutSeconds, config.sessionAffinity),
    healthCheckNodePort: service.healthCheckNodePort,
    readyLocalEndpoints: service.healthCheckNodePort === 0 ? 0 : countReadyLocalEndpoints(slices, node.name, family),
  };
  const externalIPs = ofFamily(allowed);
  const loadBalancerIPs = ofFamily(service.loadBalancerIPs);
  const portOf = (record: ServicePortRecord): ServicePort => {
    const lost = lostTo(view, record, [...externalIPs, ...loadBalancerIPs]);
    const isOwn = (address: string): boolean => !lost.has(address);
    const { name: portName, protocol, port, nodePort } = record;
    const { cluster, local, serving } = categorizeEndpoints(candidatesOf(record, slices, family), node);
    return {
      ...shared,
      externalIPs: lost.size === 0 ? externalIPs : externalIPs.filter(isOwn),
      loadBalancerIPs: lost.size === 0 ? loadBalancerIPs : loadBalancerIPs.filter(isOwn),
      lostAddresses: lost,
      portName,
      protocol,
      port,
      nodePort,
      clusterEndpoints: cluster,
      localEndpoints: local,
      servingEndpoints: serving,
    };
  };
  return service.ports.map(portOf);
}

const nothingLost: ReadonlyMap<string, ServiceKey> = new Map();

/** Those of the addresses that are another Service's at this port, and whose. */
function lostTo(
  { service, claims, config }: ServiceView,
  port: ServicePortRecord,
  addresses: readonly string[],
): ReadonlyMap<string, ServiceKey> {
  if (claims === undefined || addresses.length === 0) return nothingLost;
  const key = serviceKeyOf(service);
  const lost = addresses.flatMap((address): [string, ServiceKey][] => {
    const owner = claims.ownerOf(address, port, config);
    return owner === undefined || owner === key ? [] : [[address, owner]];
  });
  return lost.length === 0 ? nothingLost : new Map(lost);
}

/**
 * The families in which a Service has load balancer addresses and admits nobody to them, because all of its source
 * ranges are of the other family.
 */
export function familiesWithoutRange({
  loadBalancerIPs,
  loadBalancerSourceRanges: ranges,
}: Pick<ServiceRecord, 'loadBalancerIPs' | 'loadBalancerSourceRanges'>): readonly IPFamily[] {
  if (ranges.length === 0) return [];
  return ipFamilies.filter((family) => isAmong(family, loadBalancerIPs) && !isAmong(family, ranges));
}

function isAmong(family: IPFamily, list: readonly string[]): boolean {
  return list.some((each) => familyOf(each) === family);
}

type TimeoutPolicy = NodeConfig['sessionAffinity']['timeoutPolicy'];

const timeoutPolicies: Record<TimeoutPolicy, (requested: number, configured: number) => number> = {
  Service: (requested) => requested,
  ReplaceDefault: (requested, configured) => (requested === defaultAffinityTimeoutSeconds ? configured : requested),
  Cap: (requested, configured) => Math.min(requested, configured),
  Override: (_requested, configured) => configured,
};

/**
 * Seconds of affinity under the node's policy; `requested` is what the Service says, undefined for one without
 * affinity, which no policy gives any.
 */
export function affinityTimeout(
  requested: number | undefined,
  policy: NodeConfig['sessionAffinity'],
): number | undefined {
  if (requested === undefined || policy.timeoutSeconds === undefined) return requested;
  return ownValue(timeoutPolicies, policy.timeoutPolicy)?.(requested, policy.timeoutSeconds) ?? requested;
}
