/**
 * A node with Services of every kind whose rules depend on the configuration. A tool that does not take their rules
 * takes those of no Service under this configuration, and that is to be known before anything is changed.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { EndpointSliceRecord } from '../../model/endpointSlice.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceRecord, TrafficPolicy } from '../../model/service.ts';
import { serviceKeyOf } from '../../model/servicePort.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import { serviceStateOf } from '../../model/serviceState.ts';

interface Places {
  readonly node: string;
  readonly pods: string;
  readonly service: string;
  readonly loadBalancer: string;
  readonly endpoint: string;
}

/** Addresses for documentation (RFC 5737, RFC 3849). */
const places: { readonly [family in IPFamily]: Places } = {
  ipv4: {
    node: '192.0.2.1',
    pods: '198.51.100.0/24',
    service: '203.0.113.1',
    loadBalancer: '203.0.113.2',
    endpoint: '198.51.100.1',
  },
  ipv6: {
    node: '2001:db8::1',
    pods: '2001:db8:1::/64',
    service: '2001:db8:2::1',
    loadBalancer: '2001:db8:2::2',
    endpoint: '2001:db8:1::1',
  },
};

const namespace = 'sample';
const nodeName = 'sample';

/** Two Services of type LoadBalancer, one of each external traffic policy, with affinity and source ranges. */
export function sampleServiceState(config: NodeConfig, family: IPFamily): ServiceState {
  const { node, pods } = places[family];
  const services = [sampleService('Cluster', 30_000, family), sampleService('Local', 30_001, family)];
  return serviceStateOf({
    services: new Map(services.map((service) => [serviceKeyOf(service), service])),
    slices: new Map(services.map((service) => [serviceKeyOf(service), [sampleSlice(service, family)]])),
    node: { name: nodeName, addresses: [node], podCIDRs: [pods], zone: '', labels: {} },
    config,
    family,
  });
}

function sampleService(policy: TrafficPolicy, nodePort: number, family: IPFamily): ServiceRecord {
  const { service, loadBalancer, node } = places[family];
  return {
    namespace,
    name: policy.toLowerCase(),
    uid: '',
    createdAt: 0,
    type: 'LoadBalancer',
    clusterIPs: [service],
    externalIPs: [],
    loadBalancerIPs: [loadBalancer],
    loadBalancerSourceRanges: [`${node}/${family === 'ipv4' ? 32 : 128}`],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: policy,
    affinityTimeoutSeconds: 10_800,
    healthCheckNodePort: 0,
    ports: [{ name: '', protocol: 'TCP', port: nodePort, nodePort }],
  };
}

function sampleSlice(service: ServiceRecord, family: IPFamily): EndpointSliceRecord {
  const endpoint = {
    address: places[family].endpoint,
    ready: true,
    serving: true,
    terminating: false,
    nodeName,
    nodeHints: [],
    zoneHints: [],
  };
  const ports = [{ name: '', protocol: 'TCP' as const, port: 80 }];
  return {
    namespace,
    name: 'slice',
    service: serviceKeyOf(service),
    family,
    ports,
    endpoints: [endpoint],
    lastChangeTriggerTime: undefined,
  };
}
