/**
 * The compact record of a Service that a node keeps.
 *
 * Holds what any proxy mode needs and nothing else; every address is canonical. Headless and ExternalName Services have
 * no record: they are never proxied.
 */
import type { Protocol } from './protocol.ts';

export type TrafficPolicy = 'Cluster' | 'Local';
export type ServiceType = 'ClusterIP' | 'NodePort' | 'LoadBalancer';

/** `namespace/name`: how store, model and backends name a Service. */
export type ServiceKey = string;

export interface ServiceRecord {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** In ms since the epoch; later than any other where the object does not say. */
  readonly createdAt: number;
  readonly type: ServiceType;
  /** One per family at most, the first is the primary. */
  readonly clusterIPs: readonly string[];
  readonly externalIPs: readonly string[];
  /** `status.loadBalancer.ingress[].ip` whose ipMode is not Proxy. */
  readonly loadBalancerIPs: readonly string[];
  readonly loadBalancerSourceRanges: readonly string[];
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  /**
   * Seconds of ClientIP affinity as the Service asks for, before `sessionAffinity.timeoutPolicy`; undefined without
   * affinity.
   */
  readonly affinityTimeoutSeconds: number | undefined;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
  readonly ports: readonly ServicePortRecord[];
}

export interface ServicePortRecord {
  /** '' when the port has no name. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** 0 when there is none. */
  readonly nodePort: number;
}
