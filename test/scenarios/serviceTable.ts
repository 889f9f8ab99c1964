/**
 * What Services do to packets, as rows that hold in every proxy mode: who asks whom, and who must answer, seen from
 * where.
 */
import { addressTable } from './addressTable.ts';
import { clusterIPTable } from './clusterIPTable.ts';
import { endpointTable } from './endpointTable.ts';
import type { PodName } from '../support/network.ts';
import { addresses, gateways } from '../support/network.ts';
import type { ServiceManifest } from '../support/serviceManifests.ts';
import { clusterIP } from '../support/serviceManifests.ts';
import { nodePort, single } from './manifests.ts';
import type { Scenario } from './scenario.ts';
import { kept, masqueraded, spread, sticky } from './scenario.ts';
import { policyTable } from './policyTable.ts';
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
  ...policyTable,
];

/** An order that keeps changes of one Service in their sequence. */
export const scenarios: readonly Scenario[] = [
  ...basicTable,
  ...addressTable,
  ...clusterIPTable,
  ...endpointTable,
  ...settingsTable,
];
