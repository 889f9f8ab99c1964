/**
 * What one node serves for one Service port in one IP family: the model's answer, the same for every proxy
 * mode.
 */
import { familyOf } from './ipFamily.ts';
import type { Protocol } from './protocol.ts';
import type { ServiceKey, TrafficPolicy } from './service.ts';

/** One endpoint of a Service port, as rules name it. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** On this node. */
  readonly isLocal: boolean;
}

/** Every address is canonical and of the one family. */
export interface ServicePort {
  readonly namespace: string;
  readonly serviceName: string;
  /** '' when the port has no name. */
  readonly portName: string;
  readonly protocol: Protocol;
  readonly clusterIP: string;
  readonly port: number;
  /** 0 when there is none. */
  readonly nodePort: number;
  readonly externalIPs: readonly string[];
  readonly loadBalancerIPs: readonly string[];
  /** External and load balancer IPs that are another Service's at this port, and whose. */
  readonly lostAddresses: ReadonlyMap<string, ServiceKey>;
  readonly loadBalancerSourceRanges: readonly string[];
  /**
   * Whether the Service has source ranges of any family: then one without a range admits nobody to the load balancer's
   * addresses.
   */
  readonly restrictsSources: boolean;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  /** Seconds, after `sessionAffinity.timeoutPolicy`; undefined without affinity. */
  readonly affinityTimeoutSeconds: number | undefined;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
  /**
   * Where traffic with policy Cluster goes (kube-proxy's CategorizeEndpoints); sorted by address and port, no
   * duplicates.
   */
  readonly clusterEndpoints: readonly Endpoint[];
  /** Where traffic with policy Local goes; sorted in the same way. */
  readonly localEndpoints: readonly Endpoint[];
  /**
   * All that answer on the port, also those that get no new traffic (draining, another zone's); sorted in the same way.
   * The same object as `clusterEndpoints` where these are all.
   */
  readonly servingEndpoints: readonly Endpoint[];
  /**
   * Of the whole Service: the distinct addresses of its ready endpoints of the family on this node. 0 where there is no
   * health-check node port.
   */
  readonly readyLocalEndpoints: number;
  /** Of the whole Service, in both families: whether the configuration does not allow some of its external IPs. */
  readonly hasRefusedExternalIPs: boolean;
}

/** `namespace/name:portName`, or `namespace/name` for a port without a name: as kube-proxy names it in comments. */
export function servicePortName(port: Pick<ServicePort, 'namespace' | 'serviceName' | 'portName'>): string {
  return port.portName === ''
    ? `${port.namespace}/${port.serviceName}`
    : `${port.namespace}/${port.serviceName}:${port.portName}`;
}

/** `ip:port` or `[ip]:port`. */
export function socketAddress(endpoint: Pick<Endpoint, 'address' | 'port'>): string {
  return familyOf(endpoint.address) === 'ipv6'
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

/** `namespace/name`. */
export function serviceKeyOf(object: { namespace: string; name: string }): ServiceKey {
  // `join` makes one string where a template would keep its parts.
  return [object.namespace, object.name].join('/');
}

/** Whether anything outside the cluster can reach the port. */
export function isExternallyReachable(
  port: Pick<ServicePort, 'nodePort' | 'externalIPs' | 'loadBalancerIPs'>,
): boolean {
  return port.nodePort !== 0 || port.externalIPs.length > 0 || port.loadBalancerIPs.length > 0;
}
