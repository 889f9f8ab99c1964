/**
 * How much a Service asks for in one IP family, counted before any endpoint is chosen: a Service may hold thousands of
 * ports, and each of them thousands of endpoints.
 */
import type { EndpointSliceRecord } from './endpointSlice.ts';
import type { IPFamily } from './ipFamily.ts';
import type { ServicePortRecord, ServiceRecord } from './service.ts';

export interface ServiceSize {
  readonly ports: number;
  /**
   * Of all ports together, whatever their conditions; one that is in two slices counts twice. Up to 1,000, slices count
   * for all ports, whether they name them or not.
   */
  readonly endpoints: number;
  /** At which each port is reached: cluster IP, external and load balancer IPs, and 1 for the node's where it has any. */
  readonly frontends: number;
  readonly sourceRanges: number;
  readonly hasAffinity: boolean;
}

export const noSize: ServiceSize = { ports: 0, endpoints: 0, frontends: 0, sourceRanges: 0, hasAffinity: false };

/** A Service of so few endpoints is never too large, and not looked at closer. */
const maxRoughEndpoints = 1000;

/** Of both families where the Service does not tell them apart. */
export function serviceSize(
  service: ServiceRecord,
  slices: readonly EndpointSliceRecord[],
  family: IPFamily,
): ServiceSize {
  const { ports, externalIPs, loadBalancerIPs, loadBalancerSourceRanges: ranges } = service;
  const ofFamily = slices.filter((slice) => slice.family === family);
  const rough = ports.length * ofFamily.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  return {
    ports: ports.length,
    endpoints: rough <= maxRoughEndpoints ? rough : ports.reduce((sum, port) => sum + endpointsOf(port, ofFamily), 0),
    frontends: 1 + externalIPs.length + loadBalancerIPs.length + (ports.some(({ nodePort }) => nodePort > 0) ? 1 : 0),
    sourceRanges: ranges.length,
    hasAffinity: service.affinityTimeoutSeconds !== undefined,
  };
}

function endpointsOf({ name, protocol }: ServicePortRecord, slices: readonly EndpointSliceRecord[]): number {
  const leads = ({ ports }: EndpointSliceRecord): boolean =>
    ports.some((port) => port.name === name && port.protocol === protocol);
  return slices.reduce((sum, slice) => sum + (leads(slice) ? slice.endpoints.length : 0), 0);
}
