/**
 * Random histories of a cluster and a node: Services, slices, the Node and the configuration, made, changed and deleted
 * in any order, valid or not, and a tool that is cut off.
 */
import * as fc from 'fast-check';
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { ClusterIPSources } from '../../../src/model/clusterIPRanges.ts';

type Json = Readonly<Record<string, unknown>>;

export type Event =
  | { readonly kind: 'service' | 'slice'; readonly key: string; readonly object: Json }
  | { readonly kind: 'serviceGone' | 'sliceGone'; readonly key: string }
  | { readonly kind: 'node'; readonly object: Json }
  | { readonly kind: 'clusterIPs'; readonly sources: ClusterIPSources }
  /** What differs from the usual configuration. */
  | { readonly kind: 'config'; readonly config: Partial<NodeConfig> }
  /** The tool ends in its next run, after so many tables. */
  | { readonly kind: 'cut'; readonly afterTables: number };

/** So few that they meet again. */
const numbers = fc.integer({ min: 1, max: 4 });
const policy = fc.constantFrom('Cluster', 'Local');
/** Why an object is nobody's to serve here, or cannot be read. */
const usually = { weight: 12, arbitrary: fc.constant({}) };
const foreignLabels = fc.constantFrom(
  { 'service.kubernetes.io/service-proxy-name': 'other' },
  { 'service.kubernetes.io/headless': '' },
);

const servicePorts = fc.record({
  protocols: fc.subarray(['TCP', 'UDP', 'SCTP'], { minLength: 1 }),
  port: fc.constantFrom(80, 443),
  nodePort: fc.constantFrom(30_000, 30_005),
});

const service: fc.Arbitrary<Event> = fc
  .record({
    number: numbers,
    ports: servicePorts,
    families: fc.constantFrom('both', 'ipv4'),
    labels: fc.oneof(usually, { weight: 1, arbitrary: foreignLabels }),
    oddities: fc.oneof(usually, {
      weight: 1,
      arbitrary: fc.constantFrom(
        { clusterIP: 'None', clusterIPs: ['None'] },
        { clusterIPs: ['10.96.0.300'] },
        { ports: [{ port: 70_000 }] },
      ),
    }),
    ipMode: fc.constantFrom(undefined, 'VIP', 'Proxy'),
    spec: fc.record({
      type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
      internalTrafficPolicy: policy,
      externalTrafficPolicy: policy,
      sessionAffinity: fc.constantFrom('None', 'ClientIP'),
      loadBalancerSourceRanges: fc.constantFrom([], ['192.0.2.0/24', '2001:db8::/64'], ['198.51.100.7/32']),
      // The second is claimed by several Services, the last is not allowed.
      externalIPs: fc.constantFrom([], ['198.51.100.9', '2001:db8:3::9'], ['198.51.101.1']),
      healthCheckNodePort: fc.constantFrom(0, 31_001, 31_002),
    }),
  })
  .map(({ number, ports, families, labels, oddities, ipMode, spec }) => {
    const addresses = [`10.96.0.${number}`, ...(families === 'both' ? [`fd00:96::${number}`] : [])];
    const status = {
      loadBalancer: {
        ingress:
          spec.type === 'LoadBalancer'
            ? [`203.0.113.${number}`, `2001:db8:2::${number}`].map((ip) => ({ ip, ipMode }))
            : [],
      },
    };
    const object = {
      metadata: { namespace: 'default', name: `s${number}`, labels },
      spec: {
        ...spec,
        clusterIP: addresses[0],
        clusterIPs: addresses,
        ports: portsOf(ports, number, spec.type),
        ...oddities,
      },
      status,
    };
    return { kind: 'service', key: `default/s${number}`, object };
  });

interface PortsShape {
  readonly protocols: readonly string[];
  readonly port: number;
  readonly nodePort: number;
}

function portsOf({ protocols, port, nodePort }: PortsShape, number: number, type: string): readonly Json[] {
  return protocols.map((protocol, index) => ({
    name: `p${index}`,
    protocol,
    port,
    ...(type !== 'ClusterIP' && { nodePort: nodePort + 10 * number + index }),
  }));
}

const endpoint = fc.record({
  last: fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 5 }) }, { weight: 1, arbitrary: fc.constant('x') }),
  conditions: fc.record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
  nodeName: fc.constantFrom('node-1', 'node-2'),
  hints: fc.constantFrom(
    {},
    { forZones: [{ name: 'zone-a' }] },
    { forNodes: [{ name: 'node-1' }] },
    { forZones: [{ name: 'zone-b' }] },
  ),
});

/**
 * Any slice may hold any endpoint, also one that stands in another of the same Service, and may move to another
 * Service.
 */
const slice: fc.Arbitrary<Event> = fc
  .record({
    number: fc.integer({ min: 1, max: 8 }),
    owner: numbers,
    family: fc.constantFrom('IPv4', 'IPv6'),
    target: fc.oneof({ weight: 20, arbitrary: fc.constantFrom(8080, 8081) }, { weight: 1, arbitrary: fc.constant(0) }),
    labels: fc.oneof(usually, { weight: 1, arbitrary: foreignLabels }),
    endpoints: fc.array(endpoint, { maxLength: 4 }),
  })
  .map(({ number, owner, family, target, labels, endpoints }) => ({
    kind: 'slice',
    key: `default/slice-${number}`,
    object: {
      metadata: {
        namespace: 'default',
        name: `slice-${number}`,
        labels: { 'kubernetes.io/service-name': `s${owner}`, ...labels },
      },
      addressType: family,
      ports: ['TCP', 'UDP', 'SCTP'].flatMap((protocol) =>
        [0, 1, 2].map((index) => ({ name: `p${index}`, protocol, port: target })),
      ),
      endpoints: endpoints.map(({ last, ...rest }) =>
        Object.assign({ addresses: [family === 'IPv4' ? `10.244.0.${last}` : `fd00:244::${last}`] }, rest),
      ),
    },
  }));

const gone: fc.Arbitrary<Event> = fc.oneof(
  numbers.map((number) => ({ kind: 'serviceGone' as const, key: `default/s${number}` })),
  fc.integer({ min: 1, max: 8 }).map((number) => ({ kind: 'sliceGone' as const, key: `default/slice-${number}` })),
);

const node: fc.Arbitrary<Event> = fc
  .record({
    zone: fc.constantFrom('zone-a', 'zone-b', ''),
    addresses: fc.constantFrom(
      ['192.0.2.1', '2001:db8::1'],
      ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2'],
      ['192.0.2.2'],
    ),
    podCIDRs: fc.constantFrom([], ['10.244.0.0/24', 'fd00:244::/64'], ['10.245.0.0/24', 'fd00:245::/64']),
  })
  .map((shape) => ({ kind: 'node', object: nodeObject(shape) }));

interface NodeShape {
  readonly zone: string;
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
}

export function nodeObject({ zone, addresses, podCIDRs }: NodeShape): Json {
  return {
    metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': zone } },
    spec: { podCIDRs },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}

const config: fc.Arbitrary<Event> = fc
  .constantFrom<Partial<NodeConfig>>(
    {},
    { masquerade: { bit: 15, all: false } },
    { masquerade: { bit: 14, all: true } },
    { sessionAffinity: { timeoutPolicy: 'Override', timeoutSeconds: 60 } },
    { localTraffic: { detect: 'NodeCIDR' } },
    { localTraffic: { detect: 'BridgeInterface', interface: 'cni0' } },
    { externalIPs: { allowedCIDRs: ['198.51.100.0/24', '2001:db8:3::/64'] } },
    { nodePorts: { addresses: ['primary'] } },
    { nodePorts: { addresses: ['192.0.2.0/24'] } },
  )
  .map((each) => ({ kind: 'config', config: each }));

/** Of all Services here, of some, of none. */
export const allRanges: Event = {
  kind: 'clusterIPs',
  sources: { networks: ['10.96.0.0/12', 'fd00:96::/32', 'fd00:97::/32'], foreign: ['10.96.7.7', 'fd00:96::7'] },
};
const clusterIPs = fc.constantFrom<Event>(
  allRanges,
  { kind: 'clusterIPs', sources: { networks: ['10.97.0.0/16', 'fd00:97::/32'], foreign: [] } },
  { kind: 'clusterIPs', sources: { networks: [], foreign: [] } },
);

const cut: fc.Arbitrary<Event> = fc.integer({ min: 0, max: 3 }).map((afterTables) => ({ kind: 'cut', afterTables }));

/** The four kinds at the end cost a full sync: seldom enough that among a dozen sequences most end with an incremental one. */
const event = fc.oneof(
  { weight: 32, arbitrary: service },
  { weight: 40, arbitrary: slice },
  { weight: 16, arbitrary: gone },
  { weight: 1, arbitrary: node },
  { weight: 1, arbitrary: config },
  { weight: 1, arbitrary: clusterIPs },
  { weight: 1, arbitrary: cut },
);

/** What happens between one sync and the next, again and again. */
export const sequences: fc.Arbitrary<readonly (readonly Event[])[]> = fc.array(
  fc.array(event, { minLength: 1, maxLength: 5 }),
  { minLength: 2, maxLength: 8 },
);

/** Services that stay as they are, so many that dispatch needs a tree. */
export function crowd(count: number): readonly Event[] {
  return Array.from({ length: count }, (_, index): readonly Event[] => {
    const metadata = { namespace: 'crowd', name: `s${index}` };
    const addresses = [`10.97.${index >> 4}.${index & 15}`, `fd00:97::${index.toString(16)}`];
    const object = { metadata, spec: { clusterIP: addresses[0], clusterIPs: addresses, ports: [{ port: 80 }] } };
    const slices = ['IPv4', 'IPv6'].map((family) => ({
      metadata: {
        namespace: 'crowd',
        name: `s${index}-${family.toLowerCase()}`,
        labels: { 'kubernetes.io/service-name': `s${index}` },
      },
      addressType: family,
      ports: [{ name: '', port: 8080 }],
      endpoints: [{ addresses: [family === 'IPv4' ? '10.244.1.1' : 'fd00:244:1::1'] }],
    }));
    return [
      { kind: 'service', key: `crowd/s${index}`, object },
      ...slices.map((each): Event => ({ kind: 'slice', key: `crowd/${each.metadata.name}`, object: each })),
    ];
  }).flat();
}
