/**
 * Packets to each kind of address that a Service has, from everywhere.
 */
import { addresses, gateways, podPort } from '../support/network.ts';
import { allowedExternalIPs, externalIP, externalLocal, nodePort, single, withExternalIP } from './manifests.ts';
import { clusterIP, loadBalancerIP } from '../support/serviceManifests.ts';
import { typeTable } from './typeTable.ts';
import type { Scenario } from './scenario.ts';
import { dropped, everywhere, fromEach, kept, masqueraded, onlyIn, podsKept, sources, spread } from './scenario.ts';

export const addressTable: readonly Scenario[] = [
  {
    name: 'one pod behind a cluster IP',
    item: 'cluster IP',
    objects: [single('plain', 100)],
    rows: fromEach({ name: 'reached', to: clusterIP(100) }, podsKept('podA')),
  },
  {
    name: 'one pod behind a NodePort',
    item: 'NodePort',
    objects: [single('published', 101, { ports: nodePort(30_101), spec: { type: 'NodePort' } })],
    rows: [
      ...fromEach(
        { name: 'masqueraded whoever asks', to: addresses.node, port: 30_101 },
        everywhere(masqueraded('podA')),
      ),
      {
        name: 'also on an address that faces the pods',
        from: 'podC',
        to: gateways.podA,
        port: 30_101,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'a port of UDP alone',
    item: 'UDP alone',
    objects: [
      single('dns', 102, {
        ports: [{ name: 'dns', port: 53, nodePort: 30_102, protocol: 'UDP' }],
        spec: { type: 'NodePort' },
        pods: ['podA', 'podC'],
      }),
    ],
    rows: [
      ...fromEach(
        { name: 'UDP is answered', to: addresses.node, port: 30_102, protocol: 'UDP' },
        everywhere(masqueraded(spread('podA', 'podC'))),
      ),
      {
        name: 'TCP to the same number is not',
        from: 'client',
        to: addresses.node,
        port: 30_102,
        protocol: 'TCP',
        expect: 'REFUSED',
      },
    ],
  },
  {
    name: 'a load balancer in front of one pod',
    item: 'load balancer address',
    objects: [single('fronted', 103, { loadBalancerIP: loadBalancerIP(103), spec: { type: 'LoadBalancer' } })],
    rows: fromEach({ name: 'masqueraded whoever asks', to: loadBalancerIP(103) }, everywhere(masqueraded('podA'))),
  },
  {
    name: 'a load balancer with the addresses of all nodes',
    item: 'load balancer address',
    objects: [
      single('everywhere', 118, {
        ports: [
          { name: 'tcp', port: 4480, protocol: 'TCP' },
          { name: 'udp', port: 4480, protocol: 'UDP' },
        ],
        loadBalancerIP: addresses.node,
        otherBalancerIPs: [addresses.otherNode],
        spec: { type: 'LoadBalancer' },
      }),
    ],
    rows: [
      ...fromEach({ name: "at the node's own", to: addresses.node, port: 4480 }, everywhere(masqueraded('podA'))),
      ...fromEach(
        { name: "at the other node's, which is routed here", to: addresses.otherNode, port: 4480 },
        { 'pod here': masqueraded('podA'), 'pod elsewhere': masqueraded('podA'), 'this node': masqueraded('podA') },
      ),
      ...fromEach(
        { name: 'the other node itself is still reached', to: addresses.otherNode, port: podPort },
        { 'pod here': kept('otherNode'), 'pod elsewhere': kept('otherNode'), 'this node': kept('otherNode') },
      ),
    ],
  },
  {
    name: 'a load balancer that must see the packets itself',
    item: 'ipMode',
    objects: [
      single('proxied', 104, {
        loadBalancerIP: loadBalancerIP(104),
        ipMode: 'Proxy',
        ports: nodePort(30_104),
        spec: { type: 'LoadBalancer' },
      }),
    ],
    rows: [
      ...fromEach({ name: 'its address is left to it', to: loadBalancerIP(104), protocol: 'TCP' }, everywhere(dropped)),
      {
        name: 'what it sends to the NodePort is served',
        from: 'client',
        to: addresses.node,
        port: 30_104,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'source ranges that name single hosts',
    item: 'source ranges',
    objects: [
      single('ranged', 105, {
        loadBalancerIP: loadBalancerIP(105),
        spec: {
          type: 'LoadBalancer',
          loadBalancerSourceRanges: [sources['outside client'], sources['pod here']].flatMap((host) => [
            `${addresses[host].ipv4}/32`,
            `${addresses[host].ipv6}/128`,
          ]),
        },
      }),
      single('node-ranged', 106, {
        loadBalancerIP: loadBalancerIP(106),
        spec: {
          type: 'LoadBalancer',
          loadBalancerSourceRanges: [`${addresses.node.ipv4}/32`, `${addresses.node.ipv6}/128`],
        },
      }),
      single('at-the-node', 119, {
        loadBalancerIP: addresses.node,
        spec: {
          type: 'LoadBalancer',
          loadBalancerSourceRanges: [`${addresses.otherNode.ipv4}/32`, `${addresses.otherNode.ipv6}/128`],
        },
      }),
    ],
    rows: [
      ...fromEach(
        { name: 'who is named', to: loadBalancerIP(105) },
        {
          'pod here': masqueraded('podA'),
          'pod elsewhere': dropped,
          'this node': dropped,
          'another node': dropped,
          'outside client': masqueraded('podA'),
        },
      ),
      { name: 'another pod of this node is not named', from: 'podC', to: loadBalancerIP(105), expect: 'DROPPED' },
      {
        name: "who is named reaches a balancer whose address is the node's own",
        from: 'otherNode',
        to: addresses.node,
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
      {
        name: 'who is not does not reach the node itself there',
        from: 'client',
        to: addresses.node,
        expect: 'DROPPED',
      },
      {
        name: 'the node is let in where it is named',
        from: 'node',
        to: loadBalancerIP(106),
        expect: { by: 'podA', seenFrom: gateways.podA },
      },
    ],
  },
  {
    name: 'external IPs from everywhere',
    item: 'external IPs',
    objects: [
      single('announced', 107, withExternalIP(107)),
      single('announced-local', 108, {
        ...withExternalIP(108, { externalTrafficPolicy: 'Local' }),
        pods: ['podA', 'remotePod'],
      }),
      single('claimed', 109, { spec: { externalIPs: ['198.51.101.109', '2001:db8:4::109'] } }),
    ],
    config: allowedExternalIPs,
    rows: [
      ...fromEach({ name: 'allowed', to: externalIP(107) }, everywhere(masqueraded('podA'))),
      ...fromEach(
        { name: 'not allowed', to: { ipv4: '198.51.101.109', ipv6: '2001:db8:4::109' }, protocol: 'TCP' },
        everywhere(dropped),
      ),
      {
        name: 'with policy Local the client keeps its address',
        from: 'client',
        to: externalIP(108),
        expect: { by: 'podA', seenFrom: addresses.client },
      },
    ],
  },
  {
    name: 'several ports',
    item: 'several ports',
    objects: [
      single('several', 110, {
        ports: [
          { name: 'web', port: 80, protocol: 'TCP' },
          { name: 'admin', port: 81, targetPort: 8081, protocol: 'TCP' },
        ],
        pods: ['podC'],
      }),
    ],
    rows: [
      ...fromEach(
        { name: 'the second leads to its own target port', to: clusterIP(110), port: 81, protocol: 'TCP' },
        podsKept('podC:8081'),
      ),
      {
        name: 'the first to the other',
        from: 'podB',
        to: clusterIP(110),
        protocol: 'TCP',
        expect: { by: 'podC', seenFrom: addresses.podB },
      },
      {
        name: 'a number between them to neither',
        from: 'podB',
        to: clusterIP(110),
        port: 82,
        protocol: 'TCP',
        expect: 'DROPPED',
      },
    ],
  },
  {
    name: 'a Service of one IP family',
    item: 'one IP family',
    objects: [
      single('single-stack', 111, {
        spec: { clusterIPs: [clusterIP(111).ipv4], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
      }),
    ],
    rows: fromEach(
      { name: 'the other family does not know it', to: clusterIP(111) },
      onlyIn('ipv4', podsKept('podA'), dropped),
    ),
  },
  ...typeTable,
  {
    name: 'external policy Local from everywhere',
    item: 'external traffic policy',
    objects: [
      single('local-only', 116, {
        ports: nodePort(30_116),
        loadBalancerIP: loadBalancerIP(116),
        spec: { type: 'LoadBalancer', ...externalLocal },
        pods: ['podA', 'remotePod'],
      }),
      single('local-nowhere', 117, {
        ports: nodePort(30_117),
        loadBalancerIP: loadBalancerIP(117),
        spec: { type: 'LoadBalancer', ...externalLocal },
        pods: [],
      }),
    ],
    rows: [
      ...fromEach(
        { name: 'NodePort', to: addresses.node, port: 30_116 },
        {
          ...everywhere(kept('podA')),
          'pod here': kept(spread('podA', 'remotePod')),
          'pod elsewhere': kept(spread('podA', 'remotePod')),
          'this node': masqueraded(spread('podA', 'remotePod')),
        },
      ),
      {
        name: 'load balancer address, from another node',
        from: 'otherNode',
        to: loadBalancerIP(116),
        expect: { by: 'podA', seenFrom: addresses.otherNode },
      },
      {
        name: 'without endpoints anywhere it is refused',
        from: 'client',
        to: addresses.node,
        port: 30_117,
        expect: 'REFUSED',
      },
    ],
  },
];
