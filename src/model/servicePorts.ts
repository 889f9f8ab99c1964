import type { NodeConfig } from '../api/nodeConfig.ts';
import { defaultAffinityTimeoutSeconds } from './decodeService.ts';
import { candidatesOf, categorizeEndpoints } from './endpoints.ts';
import type { EndpointSliceRecord } from './endpointSlice.ts';
import type { IPFamily } from './ipFamily.ts';
import { cidrContains, familyOf } from './ipFamily.ts';
import type { NodeRecord } from './node.ts';
import type { ServicePortRecord, ServiceRecord } from './service.ts';
import type { ServicePort } from './servicePort.ts';

export interface ServiceView {
  readonly service: ServiceRecord;
  readonly slices: Iterable<EndpointSliceRecord>;
  readonly node: NodeRecord;
  readonly config: NodeConfig;
  readonly family: IPFamily;
}

/**
 * What the node serves for one Service in one family, in the order of the Service's ports; empty without a cluster IP
 * of the family.
 */
export function servicePorts(view: ServiceView): readonly ServicePort[] {
  const { service, node, config, family } = view;
  const clusterIP = service.clusterIPs.find((address) => familyOf(address) === family);
  if (clusterIP === undefined) return [];
  const slices = [...view.slices];
  const ofFamily = (list: readonly string[]): readonly string[] => [
    ...new Set(list.filter((each) => familyOf(each) === family)),
  ];
  const shared = {
    namespace: service.namespace,
    serviceName: service.name,
    clusterIP,
    externalIPs: allowedExternalIPs(ofFamily(service.externalIPs), config),
    loadBalancerIPs: ofFamily(service.loadBalancerIPs),
    loadBalancerSourceRanges: ofFamily(service.loadBalancerSourceRanges),
    internalTrafficPolicy: service.internalTrafficPolicy,
    externalTrafficPolicy: service.externalTrafficPolicy,
    affinityTimeoutSeconds: affinityTimeout(service.affinityTimeoutSeconds, config.sessionAffinity),
    healthCheckNodePort: service.healthCheckNodePort,
  };
  const portOf = (record: ServicePortRecord): ServicePort => {
    const { name: portName, protocol, port, nodePort } = record;
    const { cluster, local } = categorizeEndpoints(candidatesOf(record, slices, family), node);
    return { ...shared, portName, protocol, port, nodePort, clusterEndpoints: cluster, localEndpoints: local };
  };
  return service.ports.map(portOf);
}

/**
 * Whoever may create a Service could draw any address's traffic to it (CVE-2020-8554), so only addresses that the
 * owners allow are served.
 */
export function allowedExternalIPs(
  externalIPs: readonly string[],
  config: Pick<NodeConfig, 'externalIPs'>,
): readonly string[] {
  const allowed = config.externalIPs?.allowedCIDRs ?? [];
  return externalIPs.filter((address) => allowed.some((cidr) => cidrContains(cidr, address)));
}

type TimeoutPolicy = NodeConfig['sessionAffinity']['timeoutPolicy'];

const timeoutPolicies: Record<TimeoutPolicy, (asked: number, configured: number) => number> = {
  Service: (asked) => asked,
  ReplaceDefault: (asked, configured) => (asked === defaultAffinityTimeoutSeconds ? configured : asked),
  Cap: (asked, configured) => Math.min(asked, configured),
  Override: (_asked, configured) => configured,
};

/**
 * Seconds of affinity under the node's policy; `asked` is undefined for a Service without affinity, which no policy
 * gives any.
 */
export function affinityTimeout(asked: number | undefined, policy: NodeConfig['sessionAffinity']): number | undefined {
  return asked === undefined || policy.timeoutSeconds === undefined
    ? asked
    : timeoutPolicies[policy.timeoutPolicy](asked, policy.timeoutSeconds);
}
