import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Backend } from '../../src/backend/backend.ts';
import { createIptablesBackend } from '../../src/backend/iptables/apply.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import { expectPackets } from './expectPackets.ts';
import type { Answer, Network } from './network.ts';
import { addresses, createNetwork, iptablesObstacle } from './network.ts';
import { clusterIP, stateOf } from './objects.ts';
import { scenarios } from './serviceTable.ts';

const variants = [
  { variant: 'Nft' as const, obstacle: await iptablesObstacle('nft') },
  { variant: 'Legacy' as const, obstacle: await iptablesObstacle('legacy') },
];

describe.each(variants)('iptables $variant', ({ variant, obstacle }) => {
  if (obstacle !== undefined) {
    test.skip(`packets in network namespaces: ${obstacle}`, () => {});
    return;
  }
  let network: Network;
  let backends: Record<IPFamily, Backend>;

  beforeAll(async () => {
    network = await createNetwork();
    const host = { run: network.runOnNode };
    backends = { ipv4: createIptablesBackend('ipv4', host), ipv6: createIptablesBackend('ipv6', host) };
  });
  afterAll(() => network.close());

  describe.each(ipFamilies)('%s', (family) => {
    test.each(scenarios)('$name', async ({ objects, config, rows }) => {
      const state = stateOf(family, objects, { ...config, iptables: { backend: variant } });
      await backends[family].sync({ state, changed: 'all', signal: new AbortController().signal });
      await expectPackets(network, family, rows);
    });
  });

  test('without rules the same packets go nowhere', async () => {
    for (const family of ipFamilies) {
      await backends[family].cleanup();
      const ask = (address: string, port: number): Promise<Answer> => network.ask('podB', { protocol: 'TCP', address, port, timeoutMs: 300 });
      expect(await ask(addresses.node[family], 31_269)).toBe('REFUSED');
      expect(await ask(clusterIP(10)[family], 6379)).toBe('DROPPED');
    }
  });
});
