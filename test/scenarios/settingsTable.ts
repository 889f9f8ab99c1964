/**
 * What the node's configuration does to packets.
 */
import { addresses, gateways } from '../support/network.ts';
import { nodePort, single } from './manifests.ts';
import { clusterIP } from '../support/serviceManifests.ts';
import type { Scenario } from './scenario.ts';
import { everywhere, fromEach, kept, masqueraded, podsKept, refused } from './scenario.ts';

/** As people wrote them by hand into old objects; Kubernetes reads the numbers as decimal. */
const padded = { ipv4: '10.096.000.157', ipv6: 'FD00:0010:0096:0000:0000:0000:0000:0157' };

export const settingsTable: readonly Scenario[] = [
  {
    name: 'another masquerade bit',
    item: 'masquerade bit',
    objects: [single('marked', 150, { ports: nodePort(30_150), spec: { type: 'NodePort' } })],
    config: { masquerade: { bit: 20, all: false } },
    rows: [
      ...fromEach({ name: 'cluster IP', to: clusterIP(150) }, podsKept('podA')),
      {
        name: 'NodePort',
        from: 'podB',
        to: addresses.node,
        port: 30_150,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'everything masqueraded',
    item: 'masquerade all',
    objects: [single('hidden', 151)],
    config: { masquerade: { bit: 14, all: true } },
    rows: fromEach({ name: 'pods too', to: clusterIP(151) }, everywhere(masqueraded('podA'))),
  },
  {
    name: 'pods known by the cluster CIDR',
    item: 'detect ClusterCIDR',
    objects: [
      single('cluster-cidr', 152, {
        ports: nodePort(30_152),
        spec: { type: 'NodePort', externalTrafficPolicy: 'Local' },
        pods: ['remotePod'],
      }),
    ],
    rows: [
      ...fromEach(
        { name: 'cluster IP', to: clusterIP(152), protocol: 'TCP' },
        { ...podsKept('remotePod'), 'pod elsewhere': masqueraded('remotePod') },
      ),
      {
        name: 'a pod passes by the policy Local of a NodePort',
        from: 'podB',
        to: addresses.node,
        port: 30_152,
        expect: { by: 'remotePod', seenFrom: addresses.podB },
      },
      { name: 'another node does not', from: 'otherNode', to: addresses.node, port: 30_152, expect: 'DROPPED' },
    ],
  },
  {
    name: "pods known by the node's CIDR",
    item: 'detect NodeCIDR',
    objects: [
      single('node-cidr', 153, { ports: nodePort(30_153), spec: { type: 'NodePort', externalTrafficPolicy: 'Local' } }),
    ],
    config: { localTraffic: { detect: 'NodeCIDR' } },
    rows: fromEach(
      { name: 'a pod of another node is a stranger', to: clusterIP(153) },
      { ...podsKept('podA'), 'pod elsewhere': masqueraded('podA') },
    ),
  },
  {
    name: 'pods known by their bridge',
    item: 'detect BridgeInterface',
    objects: [single('bridge', 154)],
    config: { localTraffic: { detect: 'BridgeInterface', interface: 'podB' } },
    rows: [
      ...fromEach(
        { name: 'who comes from that interface', to: clusterIP(154) },
        { ...everywhere(masqueraded('podA')), 'pod here': kept('podA') },
      ),
      {
        name: 'a pod at another interface is a stranger',
        from: 'podC',
        to: clusterIP(154),
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'pods known by the names of their interfaces',
    item: 'detect InterfaceNamePrefix',
    objects: [single('prefix', 155)],
    config: { localTraffic: { detect: 'InterfaceNamePrefix', interface: 'pod' } },
    rows: fromEach(
      { name: 'who comes from such an interface', to: clusterIP(155) },
      { ...everywhere(masqueraded('podA')), 'pod here': kept('podA') },
    ),
  },
  {
    name: 'pods not known at all',
    item: 'no detector',
    objects: [single('undetected', 156, { ports: nodePort(30_156), spec: { type: 'NodePort' } })],
    config: { localTraffic: { detect: 'ClusterCIDR', clusterCIDRs: [] } },
    rows: [
      ...fromEach({ name: 'nobody is masqueraded to the cluster IP', to: clusterIP(156) }, everywhere(kept('podA'))),
      {
        name: 'everybody is to the NodePort',
        from: 'podB',
        to: addresses.node,
        port: 30_156,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'addresses in an old spelling',
    item: 'canonical addresses',
    objects: [single('padded', 157, { clusterIP: padded })],
    rows: fromEach(
      { name: 'decimal, not octal', to: { ipv4: '10.96.0.157', ipv6: 'fd00:10:96::157' } },
      podsKept('podA'),
    ),
  },
  {
    name: 'NodePorts on chosen addresses from everywhere',
    item: 'nodePorts.addresses',
    objects: [single('selected', 158, { ports: nodePort(30_158), spec: { type: 'NodePort' } })],
    config: { nodePorts: { addresses: ['192.0.2.0/24', '2001:db8:1::/64'] } },
    rows: [
      ...fromEach({ name: 'served', to: addresses.node, port: 30_158 }, everywhere(masqueraded('podA'))),
      ...fromEach(
        { name: 'not at the address that faces a pod', to: gateways.podC, port: 30_158, protocol: 'TCP' },
        { 'pod here': refused, 'this node': refused, 'another node': refused },
      ),
    ],
  },
  {
    name: 'NodePorts on the primary address from everywhere',
    item: 'nodePorts.addresses primary',
    objects: [single('primary', 159, { ports: nodePort(30_159), spec: { type: 'NodePort' } })],
    config: { nodePorts: { addresses: ['primary'] } },
    rows: [
      ...fromEach({ name: 'served', to: addresses.node, port: 30_159 }, everywhere(masqueraded('podA'))),
      {
        name: 'not at the address that faces a pod',
        from: 'podC',
        to: gateways.podC,
        port: 30_159,
        protocol: 'TCP',
        expect: 'REFUSED',
      },
    ],
  },
  {
    name: 'NodePorts on the primary address and in a network',
    item: 'nodePorts.addresses mixed',
    objects: [single('primary-and-network', 191, { ports: nodePort(30_191), spec: { type: 'NodePort' } })],
    config: { nodePorts: { addresses: ['primary', `${gateways.podB.ipv4}/32`, `${gateways.podB.ipv6}/128`] } },
    rows: [
      ...fromEach({ name: 'served at the primary', to: addresses.node, port: 30_191 }, everywhere(masqueraded('podA'))),
      {
        name: 'served in the network',
        from: 'podB',
        to: gateways.podB,
        port: 30_191,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'not at an address of neither',
        from: 'podC',
        to: gateways.podC,
        port: 30_191,
        protocol: 'TCP',
        expect: 'REFUSED',
      },
    ],
  },
  {
    name: 'NodePorts on all addresses, named beside others',
    item: 'nodePorts.addresses mixed',
    objects: [single('all-and-primary', 192, { ports: nodePort(30_192), spec: { type: 'NodePort' } })],
    config: { nodePorts: { addresses: ['primary', 'all'] } },
    rows: fromEach(
      { name: 'served at an address that is not the primary', to: gateways.podC, port: 30_192 },
      { 'pod here': masqueraded('podA'), 'this node': masqueraded('podA'), 'another node': masqueraded('podA') },
    ),
  },
  {
    name: 'NodePorts of the loopback address',
    item: 'localhost NodePort',
    objects: [single('loop', 160, { ports: nodePort(30_160), spec: { type: 'NodePort' } })],
    rows: [
      { name: 'refused', from: 'node', to: { ipv4: '127.0.0.1', ipv6: '::1' }, port: 30_160, expect: 'REFUSED' },
      {
        name: 'also at another one',
        from: 'node',
        to: { ipv4: '127.1.2.3', ipv6: '::1' },
        port: 30_160,
        protocol: 'TCP',
        expect: 'REFUSED',
      },
    ],
  },
];
