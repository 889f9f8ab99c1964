/**
 * From a Service's record and its slices to what the node serves of it.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import { ownValue } from '../api/ownValue.ts';
import { defaultAffinityTimeoutSeconds } from './decodeService.ts';
import { candidatesOf, categorizeEndpoints, countReadyLocalEndpoints } from './endpoints.ts';
import type { EndpointSliceRecord } from './endpointSlice.ts';
import type { IPFamily } from './ipFamily.ts';
import { cidrContains, familyOf } from './ipFamily.ts';
import type { NodeRecord } from './node.ts';
import type { ServicePortRecord, ServiceRecord } from './service.ts';
import type { ServicePort } from './servicePort.ts';

/** One Service, with all that its ports depend on. */
export interface ServiceView {
  readonly service: ServiceRecord;
  readonly slices: Iterable<EndpointSliceRecord>;
  readonly node: NodeRecord;
  readonly config: NodeConfig;
  readonly family: IPFamily;
}

/**
 * What the node serves for one Service in one family, in the order of the Service's ports; empty without a cluster IP
 * of the family. External IPs that the configuration does not allow are left out.
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
    externalIPs: ofFamily(allowed),
    hasRefusedExternalIPs: allowed.length < service.externalIPs.length,
    loadBalancerIPs: ofFamily(service.loadBalancerIPs),
    loadBalancerSourceRanges: ofFamily(service.loadBalancerSourceRanges),
    internalTrafficPolicy: service.internalTrafficPolicy,
    externalTrafficPolicy: service.externalTrafficPolicy,
    affinityTimeoutSeconds: affinityTimeout(service.affinityTimeoutSeconds, config.sessionAffinity),
    healthCheckNodePort: service.healthCheckNodePort,
    readyLocalEndpoints: service.healthCheckNodePort === 0 ? 0 : countReadyLocalEndpoints(slices, node.name, family),
  };
  const portOf = (record: ServicePortRecord): ServicePort => {
    const { name: portName, protocol, port, nodePort } = record;
    const { cluster, local, serving } = categorizeEndpoints(candidatesOf(record, slices, family), node);
    return {
      ...shared,
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

/**
 * The external IPs that are in one of the configuration's `externalIPs.allowedCIDRs`; none without any. Whoever may
 * create a Service could draw any address's traffic to it (CVE-2020-8554), so only those are served.
 */
export function allowedExternalIPs(
  externalIPs: readonly string[],
  config: Pick<NodeConfig, 'externalIPs'>,
): readonly string[] {
  const allowed = config.externalIPs?.allowedCIDRs ?? [];
  return externalIPs.filter((address) => allowed.some((cidr) => cidrContains(cidr, address)));
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
