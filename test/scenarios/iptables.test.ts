/**
 * The packet table on this project's iptables mode, with the machine's own kernel, in both variants of its tools.
 */
import { describe, expect, test } from '@jest/globals';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { Proxy } from '../uml/proxy.ts';
import { createOurs } from '../uml/proxy.ts';
import { describeTable } from './describeTable.ts';
import type { Answer, Network } from '../support/network.ts';
import { addresses, iptablesObstacle } from '../support/network.ts';
import { clusterIP } from '../support/serviceManifests.ts';
import { scenarios } from './serviceTable.ts';

const variants = [
  { variant: 'Nft' as const, obstacle: await iptablesObstacle('nft') },
  { variant: 'Legacy' as const, obstacle: await iptablesObstacle('legacy') },
];

describe('the packet table', () => {
  describe.each(variants)('iptables $variant', ({ variant, obstacle }) => {
    if (obstacle !== undefined) {
      test.skip(`packets in network namespaces: ${obstacle}`, () => {});
      return;
    }
    const start = async (network: Network): Promise<Proxy> =>
      createOurs('iptables', network, { iptables: { backend: variant } });
    describeTable({ proxyName: `this project, iptables ${variant}`, scenarios, start, further: testWithoutRules });
  });
});

function testWithoutRules(network: () => Network, proxy: () => Proxy): void {
  test('without rules the same packets go nowhere', async () => {
    await proxy().serve({ objects: scenarios[0]?.objects ?? [], scenarios });
    await proxy().end();
    for (const family of ipFamilies) {
      const ask = (address: string, port: number): Promise<Answer> =>
        network().ask('podB', { protocol: 'TCP', address, port, timeoutMs: 300 });
      expect(await ask(addresses.node[family], 31_269)).toBe('REFUSED');
      expect(await ask(clusterIP(10)[family], 6379)).toBe('DROPPED');
    }
  });
}
