/**
 * Kubernetes objects for the scenarios, as the API server would hand them out: dual stack, decoded by the product's own
 * decoders.
 */
import { addressClaimsOf } from '../../src/model/addressClaims.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService, foreignClusterIPs } from '../../src/model/decodeService.ts';
import type { EndpointSliceRecord } from '../../src/model/endpointSlice.ts';
import type { Decoded } from '../../src/model/fields.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { NodeRecord } from '../../src/model/node.ts';
import type { ServiceKey, ServiceRecord } from '../../src/model/service.ts';
import type { ServiceState } from '../../src/model/serviceState.ts';
import { serviceStateOf } from '../../src/model/serviceState.ts';
import type { Addresses, PodName } from './network.ts';
import { addresses, nodeName, nodePodNetwork, podNetwork, podPort } from './network.ts';

type Json = Readonly<Record<string, unknown>>;

export function clusterIP(index: number): Addresses {
  return { ipv4: `10.96.${index >> 8}.${index & 255}`, ipv6: `fd00:10:96::${index}` };
}
export function loadBalancerIP(index: number): Addresses {
  return { ipv4: `203.0.113.${index}`, ipv6: `2001:db8:2::${index}` };
}

/** A ready pod by name, or an endpoint with conditions and hints; `node` for a pod in the node's own network. */
export type EndpointManifest =
  | EndpointName
  | { readonly pod: EndpointName; readonly conditions?: Json; readonly hints?: Json };
type EndpointName = PodName | 'node';

export interface SliceManifest {
  readonly pods: readonly EndpointManifest[];
  /** Where every port of the Service leads in this slice. */
  readonly targetPort?: number;
}

export interface ServiceManifest {
  readonly namespace?: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly clusterIP: Addresses;
  /** With a number as `targetPort` where it is not the pods' usual one. */
  readonly ports?: readonly Json[];
  readonly loadBalancerIP?: Addresses;
  /** Further ones of its load balancer. */
  readonly otherBalancerIPs?: readonly Addresses[];
  readonly ipMode?: 'VIP' | 'Proxy';
  /** Whatever else its spec says. */
  readonly spec?: Json;
  /** Who serves it. */
  readonly pods?: readonly EndpointManifest[];
  /** In place of `pods`, where these stand in several slices. */
  readonly slices?: readonly SliceManifest[];
}

export const bothProtocols: readonly Json[] = [
  { name: 'tcp', port: 80, protocol: 'TCP' },
  { name: 'udp', port: 80, protocol: 'UDP' },
];

/** What the API server would hand out. */
export function serviceObject(manifest: ServiceManifest): Json {
  const {
    namespace = 'default',
    name,
    labels = {},
    clusterIP: ip,
    ports = bothProtocols,
    loadBalancerIP: vip,
    otherBalancerIPs = [],
    ipMode,
    spec,
  } = manifest;
  const ips = [...(vip ? [vip] : []), ...otherBalancerIPs].flatMap((each) => ipFamilies.map((family) => each[family]));
  const status = ips.length > 0 && {
    status: {
      loadBalancer: { ingress: ips.map((each) => (ipMode === undefined ? { ip: each } : { ip: each, ipMode })) },
    },
  };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name, labels },
    spec: { type: 'ClusterIP', clusterIP: ip.ipv4, clusterIPs: [ip.ipv4, ip.ipv6], ports, ...spec },
    ...status,
  };
}

export function sliceObjects(manifest: ServiceManifest): readonly Json[] {
  const slices = manifest.slices ?? [{ pods: manifest.pods ?? [] }];
  return slices.flatMap((slice, index) =>
    ipFamilies.map((family) => sliceObject(manifest, slice, { family, suffix: index === 0 ? '' : `-${index}` })),
  );
}

function sliceObject(
  service: ServiceManifest,
  slice: SliceManifest,
  { family, suffix }: { family: IPFamily; suffix: string },
): Json {
  const { namespace = 'default', name, ports = bothProtocols } = service;
  const endpointObject = (each: EndpointManifest): Json => {
    const { pod, conditions = {}, hints } = typeof each === 'string' ? { pod: each } : each;
    return {
      addresses: [addresses[pod][family]],
      conditions,
      ...(hints && { hints }),
      nodeName: pod === 'remotePod' ? 'node-2' : nodeName,
    };
  };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-${family}${suffix}`, labels: { 'kubernetes.io/service-name': name } },
    addressType: family === 'ipv4' ? 'IPv4' : 'IPv6',
    ports: ports.map((port) => ({
      name: port['name'] ?? '',
      protocol: port['protocol'] ?? 'TCP',
      port: slice.targetPort ?? port['targetPort'] ?? podPort,
    })),
    endpoints: slice.pods.map(endpointObject),
  };
}

/** undefined for what no proxy is to serve. */
function valid<Record>({ record, problems }: Decoded<Record>): Record | undefined {
  if (problems.length > 0) throw new Error(`a scenario's object is not valid: ${JSON.stringify(problems)}`);
  return record;
}

export const zone = 'zone-a';
export const nodeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: nodeName, labels: { 'topology.kubernetes.io/zone': zone } },
  spec: { podCIDR: nodePodNetwork.ipv4, podCIDRs: [nodePodNetwork.ipv4, nodePodNetwork.ipv6] },
  status: { addresses: ipFamilies.map((family) => ({ type: 'InternalIP', address: addresses.node[family] })) },
};
export const node = valid(decodeNode(nodeObject)) as NodeRecord;

export const defaultConfig: NodeConfig = {
  mode: 'iptables',
  masquerade: { bit: 14, all: false },
  sessionAffinity: { timeoutPolicy: 'Service' },
  sync: { periodSeconds: 30, minPeriodSeconds: 0 },
  localTraffic: { detect: 'ClusterCIDR', clusterCIDRs: [podNetwork.ipv4, podNetwork.ipv6] },
  conntrack: {
    maxPerCore: 32_768,
    min: 131_072,
    tcpEstablishedTimeoutSeconds: 86_400,
    tcpCloseWaitTimeoutSeconds: 3600,
    tcpBeLiberal: false,
  },
  migration: { strategy: 'PreserveConnections', drainTimeoutSeconds: 600 },
  drift: { policy: 'Enforce', checkPeriodSeconds: 60 },
};

/** The state of a node that sees just these Services. */
export function stateOf(
  family: IPFamily,
  manifests: readonly ServiceManifest[],
  config: Partial<NodeConfig> = {},
  serviceCIDRs: readonly string[] = [],
): ServiceState {
  const services = new Map<ServiceKey, ServiceRecord>();
  const slices = new Map<ServiceKey, readonly EndpointSliceRecord[]>();
  const foreign: string[] = [];
  for (const manifest of manifests) {
    foreign.push(...foreignClusterIPs(serviceObject(manifest)));
    const service = valid(decodeService(serviceObject(manifest)));
    if (service === undefined) continue;
    const key = `${service.namespace}/${service.name}`;
    services.set(key, service);
    slices.set(
      key,
      sliceObjects(manifest).flatMap((object) => valid(decodeEndpointSlice(object)) ?? []),
    );
  }
  const claims = addressClaimsOf(services);
  return serviceStateOf({
    services,
    slices,
    node,
    config: { ...defaultConfig, ...config },
    family,
    claims,
    clusterIPs: { networks: serviceCIDRs, foreign },
  });
}
