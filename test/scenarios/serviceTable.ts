/**
 * What Services do to packets, as rows that hold in every proxy mode: who asks whom, and who must answer, seen from
 * where.
 */
import { addressTable } from './addressTable.ts';
import { endpointTable } from './endpointTable.ts';
import type { PodName } from '../support/network.ts';
import { addresses, gateways } from '../support/network.ts';
import type { ServiceManifest } from '../support/serviceManifests.ts';
import { clusterIP, loadBalancerIP } from '../support/serviceManifests.ts';
import { allowedExternalIPs, externalLocal, nodePort, single } from './manifests.ts';
import type { Scenario } from './scenario.ts';
import { kept, masqueraded, spread, sticky } from './scenario.ts';
import { settingsTable } from './settingsTable.ts';

export type { Expectation, PacketRow, Scenario } from './scenario.ts';

const redis: ServiceManifest = {
  namespace: 'work',
  name: 'saythx-redis',
  clusterIP: clusterIP(10),
  ports: [{ port: 6379, nodePort: 31_269 }],
  spec: { type: 'NodePort' },
  pods: ['podA'],
};
const threeReplicas: ServiceManifest = {
  name: 'web',
  clusterIP: clusterIP(20),
  ports: [
    { name: 'tcp', port: 80, nodePort: 32_110, protocol: 'TCP' },
    { name: 'udp', port: 80, nodePort: 32_110, protocol: 'UDP' },
  ],
  spec: { type: 'NodePort' },
  pods: ['podA', 'podB', 'remotePod'],
};
/**
 * With addresses of its own: a UDP client that got the port of an earlier one would be led where conntrack led that
 * one.
 */
const loyalReplicas: ServiceManifest = {
  ...threeReplicas,
  name: 'sticky',
  clusterIP: clusterIP(21),
  ports: [
    { name: 'tcp', port: 80, nodePort: 32_111, protocol: 'TCP' },
    { name: 'udp', port: 80, nodePort: 32_111, protocol: 'UDP' },
  ],
};
const allThree: readonly PodName[] = ['podA', 'podB', 'remotePod'];

export const basicTable: readonly Scenario[] = [
  {
    name: 'Redis behind a NodePort',
    item: 'NodePort',
    objects: [redis],
    rows: [
      {
        name: 'client outside to NodePort, masqueraded',
        from: 'client',
        to: addresses.node,
        port: 31_269,
        protocol: 'TCP',
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'pod to ClusterIP keeps its address',
        from: 'podB',
        to: clusterIP(10),
        port: 6379,
        protocol: 'TCP',
        expect: { by: 'podA', seenFrom: addresses.podB },
      },
      {
        name: 'a port that the Service does not have',
        from: 'client',
        to: addresses.node,
        port: 31_270,
        protocol: 'TCP',
        expect: 'REFUSED',
      },
    ],
  },
  {
    name: 'Redis scaled to two',
    item: 'NodePort',
    objects: [{ ...redis, pods: ['podA', 'podB'] }],
    rows: [
      {
        name: 'both answer',
        from: 'client',
        to: addresses.node,
        port: 31_269,
        protocol: 'TCP',
        expect: masqueraded(spread('podA', 'podB'))('client'),
      },
    ],
  },
  {
    name: 'three replicas',
    item: 'cluster IP',
    objects: [threeReplicas],
    rows: [
      { name: 'pod to ClusterIP', from: 'podC', to: clusterIP(20), expect: kept(spread(...allThree))('podC') },
      { name: 'node to ClusterIP', from: 'node', to: clusterIP(20), expect: masqueraded(spread(...allThree))('node') },
      {
        name: 'client routed to the ClusterIP through the node',
        from: 'client',
        to: clusterIP(20),
        expect: masqueraded(spread(...allThree))('client'),
      },
      {
        name: 'client to NodePort',
        item: 'NodePort',
        from: 'client',
        to: addresses.node,
        port: 32_110,
        expect: masqueraded(spread(...allThree))('client'),
      },
      {
        name: 'node to its own NodePort',
        item: 'NodePort',
        from: 'node',
        to: addresses.node,
        port: 32_110,
        expect: masqueraded(spread(...allThree))('node'),
      },
    ],
  },
  {
    name: 'session affinity',
    item: 'session affinity',
    objects: [{ ...loyalReplicas, spec: { type: 'NodePort', sessionAffinity: 'ClientIP' } }],
    rows: [
      {
        name: 'one pod for a client of the NodePort',
        from: 'client',
        to: addresses.node,
        port: 32_111,
        expect: masqueraded(sticky(...allThree))('client'),
      },
      {
        name: 'one pod for a client of the ClusterIP',
        from: 'podC',
        to: clusterIP(21),
        expect: kept(sticky(...allThree))('podC'),
      },
    ],
  },
  {
    name: 'session affinity taken away',
    item: 'session affinity',
    objects: [loyalReplicas],
    rows: [
      {
        name: 'spreads again',
        from: 'client',
        to: addresses.node,
        port: 32_111,
        expect: masqueraded(spread(...allThree))('client'),
      },
    ],
  },
  {
    name: 'endpoints and their conditions',
    item: 'no endpoints',
    objects: [
      single('empty', 30, { ports: nodePort(30_030), spec: { type: 'NodePort' }, pods: [] }),
      single('unready', 31, { pods: [{ pod: 'podA', conditions: { ready: false, serving: false } }] }),
      single('terminating', 32, {
        pods: [{ pod: 'podA', conditions: { ready: false, serving: true, terminating: true } }],
      }),
      single('partly-terminating', 33, {
        pods: ['podB', { pod: 'podA', conditions: { ready: false, serving: true, terminating: true } }],
      }),
    ],
    rows: [
      { name: 'ClusterIP without endpoints, from a pod', from: 'podB', to: clusterIP(30), expect: 'REFUSED' },
      { name: 'ClusterIP without endpoints, from the node', from: 'node', to: clusterIP(30), expect: 'REFUSED' },
      { name: 'NodePort without endpoints', from: 'client', to: addresses.node, port: 30_030, expect: 'REFUSED' },
      {
        name: 'endpoints that are not ready',
        item: 'terminating endpoints',
        from: 'podB',
        to: clusterIP(31),
        expect: 'REFUSED',
      },
      {
        name: 'ready endpoints come before terminating ones',
        item: 'terminating endpoints',
        from: 'podC',
        to: clusterIP(33),
        expect: kept(spread('podB'))('podC'),
      },
    ],
  },
  {
    name: 'hairpin and masquerade',
    item: 'cluster IP',
    objects: [single('self', 40)],
    rows: [
      {
        name: 'a pod reaches itself through its Service',
        item: 'hairpin',
        from: 'podA',
        to: clusterIP(40),
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'an unused port of a ClusterIP leads nowhere',
        from: 'podB',
        to: clusterIP(40),
        port: 81,
        protocol: 'TCP',
        expect: 'DROPPED',
      },
    ],
  },
  {
    name: 'masquerade.all with another bit',
    item: 'masquerade all',
    objects: [single('self', 40)],
    config: { masquerade: { bit: 15, all: true } },
    rows: [
      {
        name: 'pod traffic is masqueraded too',
        from: 'podB',
        to: clusterIP(40),
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'internal traffic policy Local',
    item: 'internal traffic policy',
    objects: [
      single('internal-local', 50, { spec: { internalTrafficPolicy: 'Local' }, pods: ['podA', 'remotePod'] }),
      single('internal-away', 51, { spec: { internalTrafficPolicy: 'Local' }, pods: ['remotePod'] }),
    ],
    rows: [
      { name: 'only endpoints of the node', from: 'podB', to: clusterIP(50), expect: kept(spread('podA'))('podB') },
      { name: 'dropped without one', from: 'podB', to: clusterIP(51), expect: 'DROPPED' },
    ],
  },
  {
    name: 'external traffic policy Local',
    item: 'external traffic policy',
    objects: [
      single('external-local', 60, {
        ports: nodePort(30_060),
        spec: { type: 'NodePort', ...externalLocal },
        pods: ['podA', 'remotePod'],
      }),
      single('external-away', 61, {
        ports: nodePort(30_061),
        spec: { type: 'NodePort', ...externalLocal },
        pods: ['remotePod'],
      }),
    ],
    rows: [
      {
        name: 'the client keeps its address',
        from: 'client',
        to: addresses.node,
        port: 30_060,
        expect: { by: 'podA', seenFrom: addresses.client },
      },
      {
        name: 'the ClusterIP still uses all endpoints',
        from: 'podB',
        to: clusterIP(60),
        expect: kept(spread('podA', 'remotePod'))('podB'),
      },
      { name: 'dropped without a local endpoint', from: 'client', to: addresses.node, port: 30_061, expect: 'DROPPED' },
      {
        name: 'the node itself reaches all endpoints',
        from: 'node',
        to: addresses.node,
        port: 30_061,
        expect: { by: 'remotePod', seenFrom: gateways.remotePod },
      },
      {
        name: 'pods reach all endpoints',
        from: 'podB',
        to: addresses.node,
        port: 30_061,
        expect: { by: 'remotePod', seenFrom: addresses.podB },
      },
    ],
  },
  {
    name: 'load balancer addresses',
    item: 'load balancer address',
    objects: [
      single('balanced', 70, { loadBalancerIP: loadBalancerIP(70), spec: { type: 'LoadBalancer' } }),
      single('guarded', 71, {
        loadBalancerIP: loadBalancerIP(71),
        ports: nodePort(30_071),
        spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24', '2001:db8:9::/64'] },
      }),
      single('opened', 72, {
        loadBalancerIP: loadBalancerIP(72),
        spec: { type: 'LoadBalancer', loadBalancerSourceRanges: [' 192.0.2.0/24', '2001:db8:1::/64'] },
      }),
      single('balanced-empty', 73, { loadBalancerIP: loadBalancerIP(73), spec: { type: 'LoadBalancer' }, pods: [] }),
    ],
    rows: [
      {
        name: 'client outside the source ranges',
        item: 'source ranges',
        from: 'client',
        to: loadBalancerIP(71),
        expect: 'DROPPED',
      },
      {
        name: 'source ranges do not hold for the NodePort',
        item: 'source ranges',
        from: 'client',
        to: addresses.node,
        port: 30_071,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'source ranges do not hold for the ClusterIP',
        item: 'source ranges',
        from: 'podB',
        to: clusterIP(71),
        expect: { by: 'podA', seenFrom: addresses.podB },
      },
      {
        name: 'client inside the source ranges',
        item: 'source ranges',
        from: 'client',
        to: loadBalancerIP(72),
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      { name: 'address of a Service without endpoints', from: 'client', to: loadBalancerIP(73), expect: 'REFUSED' },
    ],
  },
  {
    name: 'external IPs',
    item: 'external IPs',
    objects: [
      single('external', 80, { spec: { externalIPs: ['198.51.100.80', '2001:db8:3::80'] } }),
      single('stolen', 81, { spec: { externalIPs: ['198.51.101.81', '2001:db8:4::81'] } }),
    ],
    config: allowedExternalIPs,
    rows: [
      {
        name: 'beside an allowed one the cluster IP is served',
        from: 'podB',
        to: clusterIP(80),
        expect: kept('podA')('podB'),
      },
      { name: 'beside any other too', from: 'podB', to: clusterIP(81), expect: kept('podA')('podB') },
    ],
  },
  {
    name: 'NodePorts on chosen addresses',
    item: 'nodePorts.addresses',
    objects: [single('chosen', 90, { ports: nodePort(30_090), spec: { type: 'NodePort' } })],
    config: { nodePorts: { addresses: ['192.0.2.0/24', '2001:db8:1::/64'] } },
    rows: [
      {
        name: 'not on another address of the node',
        from: 'client',
        to: gateways.podA,
        port: 30_090,
        expect: 'REFUSED',
      },
    ],
  },
  {
    name: 'NodePorts on the primary address',
    item: 'nodePorts.addresses primary',
    objects: [single('chosen', 90, { ports: nodePort(30_090), spec: { type: 'NodePort' } })],
    config: { nodePorts: { addresses: ['primary'] } },
    rows: [
      {
        name: 'served on it',
        from: 'client',
        to: addresses.node,
        port: 30_090,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'not on another address of the node',
        from: 'client',
        to: gateways.podA,
        port: 30_090,
        expect: 'REFUSED',
      },
    ],
  },
];

/** An order that keeps changes of one Service in their sequence. */
export const scenarios: readonly Scenario[] = [...basicTable, ...addressTable, ...endpointTable, ...settingsTable];
