/**
 * Which endpoints a Service leads to, whatever the reason: conditions, policies, hints, slices.
 */
import { affinityTable } from './affinityTable.ts';
import { addresses, gateways, nodeName } from '../support/network.ts';
import { nodePort, single } from './manifests.ts';
import type { EndpointManifest } from '../support/serviceManifests.ts';
import { clusterIP, zone } from '../support/serviceManifests.ts';
import type { Scenario } from './scenario.ts';
import { everywhere, fromEach, kept, podsKept, refused, spread } from './scenario.ts';

type Name = Extract<EndpointManifest, string>;
const leaving = (pod: Name): EndpointManifest => ({
  pod,
  conditions: { ready: false, serving: true, terminating: true },
});
const gone = (pod: Name): EndpointManifest => ({
  pod,
  conditions: { ready: false, serving: false, terminating: true },
});
const forNode = (pod: Name, name: string): EndpointManifest => ({
  pod,
  conditions: { ready: true },
  hints: { forNodes: [{ name }] },
});
const forZone = (pod: Name, name: string): EndpointManifest => ({
  pod,
  conditions: { ready: true },
  hints: { forZones: [{ name }] },
});

export const endpointTable: readonly Scenario[] = [
  {
    name: 'an endpoint in the network of the node',
    item: 'endpoint on the node',
    objects: [single('host-network', 120, { pods: ['node'] })],
    // Of several addresses, the node's UDP server would answer from the one that faces the pod.
    rows: fromEach(
      { name: 'nobody is masqueraded on the way in', to: clusterIP(120), protocol: 'TCP' },
      everywhere(kept('node')),
    ),
  },
  {
    name: 'internal policy Local from everywhere',
    item: 'internal traffic policy',
    objects: [single('internal-here', 121, { spec: { internalTrafficPolicy: 'Local' }, pods: ['podA', 'remotePod'] })],
    rows: fromEach({ name: 'only the endpoint of this node', to: clusterIP(121) }, podsKept('podA')),
  },
  {
    name: 'no endpoints from everywhere',
    item: 'no endpoints',
    objects: [
      single('deserted', 122, {
        ports: nodePort(30_122),
        spec: { type: 'NodePort', internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' },
        pods: [],
      }),
    ],
    rows: [
      ...fromEach({ name: 'cluster IP with policy Local', to: clusterIP(122) }, everywhere(refused)),
      {
        name: 'its NodePort, from another node',
        from: 'otherNode',
        to: addresses.node,
        port: 30_122,
        expect: 'REFUSED',
      },
    ],
  },
  {
    name: 'terminating endpoints from everywhere',
    item: 'terminating endpoints',
    objects: [
      single('leaving', 123, { pods: [leaving('podA')] }),
      single('gone', 124, { pods: [gone('podA')] }),
      single('leaving-here', 125, {
        ports: nodePort(30_125),
        spec: { type: 'NodePort', externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
        pods: [leaving('podA'), 'remotePod'],
      }),
    ],
    rows: [
      ...fromEach({ name: 'better than none', to: clusterIP(123) }, podsKept('podA')),
      { name: 'not when they no longer serve', from: 'podB', to: clusterIP(124), expect: 'REFUSED' },
      {
        name: 'with external policy Local, the only one here',
        from: 'client',
        to: addresses.node,
        port: 30_125,
        expect: { by: 'podA', seenFrom: addresses.client },
      },
      {
        name: 'with internal policy Local, the only one here',
        from: 'podB',
        to: clusterIP(125),
        expect: { by: 'podA', seenFrom: addresses.podB },
      },
      {
        name: 'the node itself goes to the ready one',
        from: 'node',
        to: addresses.node,
        port: 30_125,
        expect: { by: 'remotePod', seenFrom: gateways.remotePod },
      },
    ],
  },
  {
    name: 'hints of nodes',
    item: 'node hints',
    objects: [
      single('near', 126, { pods: [forNode('podA', nodeName), forNode('remotePod', 'node-2')] }),
      single('half-hinted', 127, { pods: [forNode('podA', nodeName), 'remotePod'] }),
      single('for-others', 128, { pods: [forNode('podA', 'node-3'), forNode('remotePod', 'node-2')] }),
    ],
    rows: [
      ...fromEach({ name: 'those of this node', to: clusterIP(126) }, podsKept('podA')),
      {
        name: 'not followed while one endpoint has none',
        from: 'podC',
        to: clusterIP(127),
        expect: kept(spread('podA', 'remotePod'))('podC'),
      },
      {
        name: 'not followed where none names this node',
        from: 'podC',
        to: clusterIP(128),
        expect: kept(spread('podA', 'remotePod'))('podC'),
      },
    ],
  },
  {
    name: 'hints of zones',
    item: 'zone hints',
    objects: [
      single('same-zone', 129, {
        pods: [forZone('podA', zone), forZone('podC', zone), forZone('remotePod', 'zone-b')],
      }),
      single('other-zone', 130, { pods: [forZone('podA', 'zone-c'), forZone('remotePod', 'zone-b')] }),
    ],
    rows: [
      ...fromEach(
        { name: 'those of this zone', to: clusterIP(129), protocol: 'TCP' },
        podsKept(spread('podA', 'podC')),
      ),
      {
        name: 'not followed where none names this zone',
        from: 'podC',
        to: clusterIP(130),
        expect: kept(spread('podA', 'remotePod'))('podC'),
      },
    ],
  },
  {
    name: 'endpoints published before they are ready',
    item: 'publishNotReadyAddresses',
    objects: [
      single('early', 131, {
        spec: { publishNotReadyAddresses: true },
        pods: [{ pod: 'podA', conditions: { ready: true, serving: false, terminating: false } }],
      }),
    ],
    rows: fromEach({ name: 'the slice says ready, and that counts', to: clusterIP(131) }, podsKept('podA')),
  },
  {
    name: 'an endpoint in two slices',
    item: 'endpoint in two slices',
    objects: [single('moving', 132, { slices: [{ pods: ['podA'] }, { pods: ['podA', 'podC'] }] })],
    rows: fromEach({ name: 'both endpoints answer', to: clusterIP(132) }, podsKept(spread('podA', 'podC'))),
  },
  {
    name: 'a named target port that differs by slice',
    item: 'target ports by slice',
    objects: [
      single('renumbered', 133, {
        ports: [{ name: 'web', port: 80, protocol: 'TCP', targetPort: 'web' }],
        slices: [
          { pods: ['podA'], targetPort: 8080 },
          { pods: ['podC'], targetPort: 8081 },
        ],
      }),
    ],
    rows: fromEach(
      { name: 'each endpoint on its own port', to: clusterIP(133), protocol: 'TCP' },
      podsKept(spread('podA', 'podC:8081')),
    ),
  },
  {
    name: 'a pod that asks itself',
    item: 'hairpin',
    objects: [
      single('mirror-far', 134, { pods: ['remotePod'] }),
      single('mirror-node', 135, { pods: ['node'] }),
      single('mirror-port', 136, {
        ports: nodePort(30_136),
        spec: { type: 'NodePort', externalTrafficPolicy: 'Local' },
      }),
    ],
    rows: [
      {
        name: 'a pod of another node',
        from: 'remotePod',
        to: clusterIP(134),
        expect: { by: 'remotePod', seenFrom: gateways.remotePod },
      },
      {
        name: 'the node itself',
        from: 'node',
        to: clusterIP(135),
        protocol: 'UDP',
        expect: { by: 'node', seenFrom: addresses.node },
      },
      {
        name: 'by a NodePort of policy Local',
        from: 'podA',
        to: addresses.node,
        port: 30_136,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  ...affinityTable,
];
