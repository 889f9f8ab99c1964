/**
 * Whom traffic policies, source ranges and chosen addresses let in, and where.
 */
import { addresses, gateways } from '../support/network.ts';
import { clusterIP, loadBalancerIP } from '../support/serviceManifests.ts';
import { allowedExternalIPs, externalLocal, nodePort, single } from './manifests.ts';
import type { Scenario } from './scenario.ts';
import { kept, spread } from './scenario.ts';

export const policyTable: readonly Scenario[] = [
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
    name: 'source ranges of one family',
    item: 'source ranges',
    objects: [
      single('of-ipv4', 74, {
        loadBalancerIP: loadBalancerIP(74),
        spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] },
      }),
      single('of-ipv6', 75, {
        loadBalancerIP: loadBalancerIP(75),
        spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['2001:db8:1::/64'] },
      }),
    ],
    rows: [
      {
        name: 'of IPv4 admit nobody in IPv6',
        from: 'client',
        to: loadBalancerIP(74),
        expect: { ipv4: { by: 'podA', seenFrom: gateways.podA }, ipv6: 'DROPPED' },
      },
      {
        name: 'of IPv6 admit nobody in IPv4',
        from: 'client',
        to: loadBalancerIP(75),
        expect: { ipv4: 'DROPPED', ipv6: { by: 'podA', seenFrom: gateways.podA } },
      },
      {
        name: 'do not hold for the ClusterIP',
        from: 'podB',
        to: clusterIP(74),
        expect: { by: 'podA', seenFrom: addresses.podB },
      },
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
    name: 'an address that two Services claim',
    item: 'external IPs',
    objects: [
      single('owner', 82),
      single('guest', 83, {
        pods: ['podB'],
        spec: { externalIPs: [...Object.values(clusterIP(82)), '198.51.100.83', '2001:db8:3::83'] },
      }),
      single('later', 84, {
        pods: ['podB'],
        spec: { externalIPs: ['198.51.100.83', '2001:db8:3::83'], type: 'ClusterIP' },
      }),
    ],
    config: { externalIPs: { allowedCIDRs: ['0.0.0.0/0', '::/0'] } },
    rows: [
      {
        name: "a cluster IP that is another's external IP",
        from: 'podB',
        to: clusterIP(82),
        expect: kept('podA')('podB'),
      },
      {
        name: 'the cluster IP of the one that named it',
        from: 'podA',
        to: clusterIP(83),
        expect: kept('podB')('podA'),
      },
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
