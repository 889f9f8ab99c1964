/**
 * The objects that benchmarks are fed with: Services of as many endpoints as asked for, by number.
 */
import { podRange, targetPort } from './node.ts';

export const namespace = 'bench';
export const servicePort = 80;

export function clusterIP(index: number): string {
  return `10.100.${index >> 8}.${index & 255}`;
}

/** Endpoints of each Service where nothing else is asked for. */
export const usualEndpoints = 3;
/** Their addresses are the third and the fourth number of theirs. */
export const maxServices = 2 ** 16;
/** Of all Services together, 10.240.0.0 to 10.243.255.255; those above are for nodes and for what a benchmark changes. */
export const maxEndpoints = 2 ** 18;

/** `endpoints`: of each Service. */
export function endpointAddress(index: number, replica: number, endpoints = usualEndpoints): string {
  const number = endpoints * index + replica;
  return `10.${240 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

export function serviceName(index: number): string {
  return `service-${String(index).padStart(5, '0')}`;
}

export function serviceOf(index: number) {
  const ports = [{ name: 'http', port: servicePort, targetPort, protocol: 'TCP' }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: serviceName(index), namespace },
    spec: { clusterIP: clusterIP(index), ports },
  };
}

export interface SliceShape {
  readonly endpoints?: number;
  /** The address of the last endpoint where it is not the Service's own. */
  readonly last?: string | undefined;
}

export function sliceOf(index: number, { endpoints = usualEndpoints, last }: SliceShape = {}) {
  const name = serviceName(index);
  const own = Array.from({ length: endpoints }, (_, replica) => endpointAddress(index, replica, endpoints));
  const addresses = last === undefined ? own : own.with(endpoints - 1, last);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: targetPort, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'elsewhere',
    })),
  };
}

/** What the agent on the node `ours` is to run, as the operator would say it. */
export function nodeProxyOf(config: object) {
  const localTraffic = { detect: 'ClusterCIDR', clusterCIDRs: [podRange] };
  const spec = {
    configRef: { name: 'bench', uid: 'bench', generation: 1 },
    revision: JSON.stringify(config).length.toString(16),
    config: { ...config, localTraffic },
  };
  return { apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy', metadata: { name: 'ours' }, spec };
}
