/**
 * What Services do to SCTP, on kernels that have it. Rows of refusals are missing: an association does not end on an
 * ICMP message.
 */
import { addresses, gateways } from '../support/network.ts';
import { clusterIP } from '../support/serviceManifests.ts';
import type { Scenario } from './scenario.ts';
import { kept, masqueraded, spread } from './scenario.ts';

const sctpPorts = [{ name: 'sctp', port: 80, nodePort: 30_200, protocol: 'SCTP' }];

export const sctpScenarios: readonly Scenario[] = [
  {
    name: 'SCTP to one pod',
    item: 'SCTP',
    objects: [
      { name: 'diameter', clusterIP: clusterIP(200), ports: sctpPorts, spec: { type: 'NodePort' }, pods: ['podA'] },
    ],
    rows: [
      {
        name: 'pod to ClusterIP keeps its address',
        from: 'podB',
        to: clusterIP(200),
        protocol: 'SCTP',
        expect: { by: 'podA', seenFrom: addresses.podB },
      },
      {
        name: 'client to NodePort, masqueraded',
        from: 'client',
        to: addresses.node,
        port: 30_200,
        protocol: 'SCTP',
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'pod of another node to ClusterIP keeps its address',
        from: 'remotePod',
        to: clusterIP(200),
        protocol: 'SCTP',
        expect: { by: 'podA', seenFrom: addresses.remotePod },
      },
      {
        name: 'another node to NodePort, masqueraded',
        from: 'otherNode',
        to: addresses.node,
        port: 30_200,
        protocol: 'SCTP',
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'a pod reaches itself through its Service',
        from: 'podA',
        to: clusterIP(200),
        protocol: 'SCTP',
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'SCTP to two pods',
    item: 'SCTP',
    objects: [
      {
        name: 'diameter',
        clusterIP: clusterIP(200),
        ports: sctpPorts,
        spec: { type: 'NodePort' },
        pods: ['podA', 'podB'],
      },
    ],
    rows: [
      {
        name: 'pod to ClusterIP',
        from: 'podC',
        to: clusterIP(200),
        protocol: 'SCTP',
        expect: kept(spread('podA', 'podB'))('podC'),
      },
      {
        name: 'node to ClusterIP',
        from: 'node',
        to: clusterIP(200),
        protocol: 'SCTP',
        expect: masqueraded(spread('podA', 'podB'))('node'),
      },
    ],
  },
];
