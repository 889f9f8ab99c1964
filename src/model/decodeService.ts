/**
 * Services from the API server or a file -> records.
 */
import { compact } from './compact.ts';
import type { Decoded } from './fields.ts';
import {
  dnsLabel,
  Fields,
  integerBetween,
  ipAddress,
  cidr,
  listOf,
  oneOf,
  plainText,
  portName,
  portNumber,
  portNumberOrNone,
  protocol,
} from './fields.ts';
import { familyOf } from './ipFamily.ts';
import type { ServicePortRecord, ServiceRecord } from './service.ts';

/** What the API server writes into every Service with ClientIP affinity, in seconds. */
export const defaultAffinityTimeoutSeconds = 10_800;
const policy = oneOf('Cluster', 'Local');

/**
 * Turns a core/v1 Service into the record that a node keeps. Headless and ExternalName Services and those that another
 * proxy serves (label `service.kubernetes.io/service-proxy-name`) have none. A Service with any invalid field has none
 * either, and its problems are reported: leaving out only the invalid part could open what its owner meant to close, as
 * an invalid source range would.
 */
export function decodeService(object: unknown): Decoded<ServiceRecord> {
  const service = new Fields(object);
  if (!isProxied(service)) return { record: undefined, problems: [] };
  const record = serviceRecord(service);
  return { record: service.problems.length === 0 ? record : undefined, problems: service.problems };
}

/**
 * The cluster IPs of a Service that another proxy serves, canonical; none of any other Service. What is invalid is left
 * out: the Service is not ours to judge.
 */
export function foreignClusterIPs(object: unknown): readonly string[] {
  const service = new Fields(object);
  return isOfOtherProxy(service) ? listOf(service.at('spec').at('clusterIPs'), ipAddress) : [];
}

function isOfOtherProxy(service: Fields): boolean {
  return !service.at('metadata').at('labels').entry('service.kubernetes.io/service-proxy-name').isAbsent();
}

function isProxied(service: Fields): boolean {
  if (isOfOtherProxy(service)) return false;
  const labels = service.at('metadata').at('labels');
  if (!labels.entry('service.kubernetes.io/headless').isAbsent()) return false;
  const spec = service.at('spec');
  if (spec.at('type').optional(plainText) === 'ExternalName') return false;
  const clusterIP = spec.at('clusterIP').optional(plainText) ?? '';
  return clusterIP !== '' && clusterIP !== 'None';
}

function serviceRecord(service: Fields): ServiceRecord {
  const metadata = service.at('metadata');
  const spec = service.at('spec');
  const type = spec.at('type').optional(oneOf('ClusterIP', 'NodePort', 'LoadBalancer')) ?? 'ClusterIP';
  const externalTrafficPolicy = spec.at('externalTrafficPolicy').optional(policy) ?? 'Cluster';
  const healthCheckNodePort = spec.at('healthCheckNodePort').optional(portNumberOrNone) ?? 0;
  return {
    namespace: metadata.at('namespace').required(dnsLabel) ?? '',
    name: metadata.at('name').required(dnsLabel) ?? '',
    uid: metadata.at('uid').optional(plainText) ?? '',
    createdAt: timeOf(metadata.at('creationTimestamp').optional(plainText)),
    type,
    clusterIPs: clusterIPs(spec),
    externalIPs: listOf(spec.at('externalIPs'), ipAddress),
    loadBalancerIPs: compact(type === 'LoadBalancer' ? loadBalancerIPs(service.at('status')) : []),
    loadBalancerSourceRanges: listOf(spec.at('loadBalancerSourceRanges'), cidr),
    internalTrafficPolicy: spec.at('internalTrafficPolicy').optional(policy) ?? 'Cluster',
    externalTrafficPolicy,
    affinityTimeoutSeconds: affinityTimeout(spec),
    healthCheckNodePort: type === 'LoadBalancer' && externalTrafficPolicy === 'Local' ? healthCheckNodePort : 0,
    ports: servicePortRecords(spec.at('ports')),
  };
}

/** The API server sets it, on every object. */
function timeOf(text: string | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? Number.MAX_SAFE_INTEGER : time;
}

function clusterIPs(spec: Fields): readonly string[] {
  const list = spec.at('clusterIPs');
  const addresses =
    list.items().length > 0 ? listOf(list, ipAddress) : [spec.at('clusterIP').required(ipAddress) ?? ''];
  const families = new Set(addresses.map(familyOf));
  if (families.size < addresses.length)
    list.reject('holds two addresses of one family', 'at most one IPv4 and one IPv6 address');
  return addresses;
}

/** `ipMode: Proxy` says that the load balancer must see the packets itself (KEP-1860). */
function loadBalancerIPs(status: Fields): readonly string[] {
  return status
    .at('loadBalancer')
    .at('ingress')
    .items()
    .filter((ingress) => ingress.at('ipMode').optional(oneOf('VIP', 'Proxy')) !== 'Proxy')
    .flatMap((ingress) => ingress.at('ip').optional(ipAddress) ?? []);
}

function affinityTimeout(spec: Fields): number | undefined {
  if ((spec.at('sessionAffinity').optional(oneOf('None', 'ClientIP')) ?? 'None') === 'None') return undefined;
  const timeout = spec
    .at('sessionAffinityConfig')
    .at('clientIP')
    .at('timeoutSeconds')
    .optional(integerBetween(1, 86_400));
  return timeout ?? defaultAffinityTimeoutSeconds;
}

/** Rules and their chains are named by the port's name, so no two ports may share one. */
function servicePortRecords(list: Fields): readonly ServicePortRecord[] {
  const ports = list.items().map(servicePortRecord);
  const names = new Set(ports.map(({ name }) => name));
  if (names.size < ports.length) list.reject('holds two ports of one name', 'ports that each have a name of their own');
  return ports;
}

function servicePortRecord(port: Fields): ServicePortRecord {
  return {
    name: port.at('name').optional(portName) ?? '',
    protocol: port.at('protocol').optional(protocol) ?? 'TCP',
    port: port.at('port').required(portNumber) ?? 0,
    nodePort: port.at('nodePort').optional(portNumberOrNone) ?? 0,
  };
}
