/** A cluster of one IP family knows no address of the other, in whatever is made from its network. */
import { describe, expect, test } from '@jest/globals';
import { ipFamilies, type IPFamily } from '../../src/model/ipFamily.ts';
import { clusterNetwork, networkFamilies, type NetworkFamily } from './addresses.ts';
import { clusterManifests } from './manifests.ts';
import { controlPlaneWiring, nodeWiring, outsideWiring } from './network.ts';
import { cniConfiguration, hostsFile } from './nodeConfiguration.ts';

const addressOf: Readonly<Record<IPFamily, RegExp>> = {
  ipv4: /\b(?!127\.)\d{1,3}(?:\.\d{1,3}){3}\b/,
  ipv6: /\bfd00:|"::\/0"/,
};
const families = Object.keys(networkFamilies) as NetworkFamily[];

describe.each(families)('a cluster of family %s', (family) => {
  const network = clusterNetwork(3, family);
  const cables = network.nodes.map(({ name }, index) => ({ name, pid: index + 1 }));
  const texts = {
    network: JSON.stringify(network),
    'the control plane': controlPlaneWiring(cables, network).links.join('\n'),
    'the nodes': network.nodes.flatMap((node) => nodeWiring(node, network).links).join('\n'),
    outside: outsideWiring(network.outside).links.join('\n'),
    CNI: network.nodes.map(cniConfiguration).join('\n'),
    'the hosts file': hostsFile([network.controlPlane, ...network.nodes, network.outside]),
    manifests: clusterManifests(network),
  };

  test.each(Object.entries(texts))('%s', (_, text) => {
    expect(ipFamilies.filter((of) => addressOf[of].test(text))).toEqual(networkFamilies[family]);
  });
});

test.each([0, 1.5, 100])('has no addresses for %d nodes', (nodes) => {
  expect(() => clusterNetwork(nodes)).toThrow(RangeError);
});
