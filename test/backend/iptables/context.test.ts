import { describe, expect, test } from '@jest/globals';
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import { planContext } from '../../../src/backend/engine/nodeTraffic.ts';
import { renderIptables } from '../../../src/backend/iptables/plan/render.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import { defaultConfig, node } from '../../support/serviceManifests.ts';
import { plainService, state } from './services.ts';

/** The line of the ClusterIP's masquerading, without what is the same in all. */
function outsiders(config: Partial<NodeConfig>, family: IPFamily = 'ipv4'): string | undefined {
  const lines = renderIptables(state([plainService(1)], config, family)).input.split('\n');
  return lines
    .find((line) => line.startsWith('-A KUBE-SVC-') && line.endsWith('-j KUBE-MARK-MASQ'))
    ?.replace(/.*--dport 80 ?(.*) ?-j KUBE-MARK-MASQ/, '$1')
    .trim();
}

const clusterIPRanges = { networks: [], foreign: [] };

describe('planContext', () => {
  describe('who is masqueraded on the way to a ClusterIP', () => {
    const rows: readonly {
      name: string;
      config: Partial<NodeConfig>;
      family?: IPFamily;
      matched: string | undefined;
    }[] = [
      {
        name: 'whoever is not in the cluster CIDR',
        config: { localTraffic: { detect: 'ClusterCIDR', clusterCIDRs: ['fd00::/48', '10.0.0.0/8'] } },
        matched: '! -s 10.0.0.0/8',
      },
      {
        name: 'the same in IPv6',
        config: { localTraffic: { detect: 'ClusterCIDR', clusterCIDRs: ['fd00::/48', '10.0.0.0/8'] } },
        family: 'ipv6',
        matched: '! -s fd00::/48',
      },
      {
        name: 'nobody, when there is no cluster CIDR of the family',
        config: { localTraffic: { detect: 'ClusterCIDR', clusterCIDRs: ['10.0.0.0/8'] } },
        family: 'ipv6',
        matched: undefined,
      },
      {
        name: 'whoever does not come in by the bridge',
        config: { localTraffic: { detect: 'BridgeInterface', interface: 'cni0' } },
        matched: '! -i cni0',
      },
      {
        name: 'whoever does not come in by such an interface',
        config: { localTraffic: { detect: 'InterfaceNamePrefix', interface: 'cali' } },
        matched: '! -i cali+',
      },
      {
        name: 'whoever does not come in by the interface of the longest name there is',
        config: { localTraffic: { detect: 'InterfaceNamePrefix', interface: 'a'.repeat(15) } },
        matched: `! -i ${'a'.repeat(15)}`,
      },
      {
        name: 'nobody, when the cluster CIDR holds everybody',
        config: { localTraffic: { detect: 'ClusterCIDR', clusterCIDRs: ['0.0.0.0/0'] } },
        matched: undefined,
      },
      {
        name: "whoever is not in the node's pod CIDR",
        config: { localTraffic: { detect: 'NodeCIDR' } },
        matched: `! -s ${node.podCIDRs[0]}`,
      },
      { name: 'everybody', config: { masquerade: { bit: 14, all: true } }, matched: '' },
    ];
    test.each(rows)('$name', ({ config, family, matched }) => {
      expect(outsiders(config, family)).toBe(matched);
    });
    const nodeCIDR: NodeConfig = { ...defaultConfig, localTraffic: { detect: 'NodeCIDR' } };
    test("whoever is not in the node's pod CIDR of the family", () => {
      const context = planContext({
        config: nodeCIDR,
        node: { ...node, podCIDRs: ['fd00:1::/64', '10.244.1.0/24'] },
        family: 'ipv4',
        clusterIPRanges,
      });
      expect(context.pods).toEqual({ network: '10.244.1.0/24' });
    });
    test('nobody, on a node without pod CIDRs', () => {
      const withoutPods = { ...node, podCIDRs: [] };
      expect(
        planContext({ config: nodeCIDR, node: withoutPods, family: 'ipv4', clusterIPRanges }).pods,
      ).toBeUndefined();
    });
  });

  describe('where NodePorts are served', () => {
    const rows: readonly {
      name: string;
      addresses: string[] | undefined;
      family?: IPFamily;
      networks: readonly string[] | 'all';
    }[] = [
      { name: 'everywhere', addresses: undefined, networks: 'all' },
      { name: 'everywhere, said as a network', addresses: ['0.0.0.0/0'], networks: 'all' },
      { name: 'on the primary address', addresses: ['primary'], networks: ['192.0.2.1'] },
      {
        name: 'on the primary address of the family',
        addresses: ['primary'],
        family: 'ipv6',
        networks: ['2001:db8:1::1'],
      },
      {
        name: 'in networks of the family, in order',
        addresses: ['192.0.2.0/24', 'fd00::/8', '10.0.0.0/8'],
        networks: ['10.0.0.0/8', '192.0.2.0/24'],
      },
      { name: 'everywhere, said as a word among others', addresses: ['primary', 'all'], networks: 'all' },
      {
        name: 'on the primary address and in networks of the family',
        addresses: ['primary', '10.0.0.0/8', 'fd00::/8'],
        networks: ['10.0.0.0/8', '192.0.2.1'],
      },
      {
        name: 'on the primary address of a family without networks',
        addresses: ['10.0.0.0/8', 'primary'],
        family: 'ipv6',
        networks: ['2001:db8:1::1'],
      },
      { name: 'never on loopback', addresses: ['127.0.0.0/8'], networks: [] },
      { name: 'never on loopback, said as a word', addresses: ['localhost', 'primary'], networks: ['192.0.2.1'] },
    ];
    test.each(rows)('$name', ({ addresses, family = 'ipv4', networks }) => {
      expect(
        planContext({
          config: { ...defaultConfig, ...(addresses && { nodePorts: { addresses } }) },
          node,
          family,
          clusterIPRanges,
        }).nodePortNetworks,
      ).toEqual(networks);
    });
  });

  test('the mark follows the bit, up to the highest, everywhere', () => {
    expect(marks(14)).toEqual(['0x00004000']);
    expect(marks(15)).toEqual(['0x00008000']);
    expect(marks(31)).toEqual(['0x80000000']);
  });

  test('tcpBeLiberal leaves invalid packets alone', () => {
    const [strict, liberal] = [false, true].map(
      (tcpBeLiberal) => renderIptables(state([], { conntrack: { ...defaultConfig.conntrack, tcpBeLiberal } })).input,
    );
    expect(strict).toContain('--ctstate INVALID -j DROP');
    expect(liberal).not.toContain('INVALID');
  });
});

function marks(bit: number): readonly string[] {
  return [
    ...new Set(renderIptables(state([plainService(1)], { masquerade: { bit, all: false } })).input.match(/0x\w+/g)),
  ];
}
