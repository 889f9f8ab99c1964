/**
 * One rule of another program's in a table that nft and iptables-nft share, and iptables-save shows nothing of the
 * table any more, or of any (1.8.9). What stands is read another way, and the node goes on serving.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Backend } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { findProgram } from '../../../src/system/command.ts';
import { ipFamilies, type IPFamily } from '../../../src/model/ipFamily.ts';
import { NftListingReader } from '../../../src/netfilter/xtables/nftListing.ts';
import { createEmptyNode, type Network } from '../../support/network.ts';
import { describeWhere } from '../../support/requirements.ts';
import { keysOf, manyServices, plainService, signal, state } from './services.ts';

const config = { iptables: { backend: 'Nft' as const } };

/** A rule of nft's, and the chain of iptables that it stands in. */
interface NativeRule {
  readonly table: 'filter' | 'nat';
  readonly chain: string;
  readonly rule: string;
}

const established: NativeRule = { table: 'filter', chain: 'INPUT', rule: 'ct state established,related accept' };
const nativeRules: readonly NativeRule[] = [
  established,
  { table: 'nat', chain: 'POSTROUTING', rule: 'oifname "eth0" masquerade' },
  // At these iptables-save ends, with 3.
  { table: 'filter', chain: 'INPUT', rule: 'meta l4proto { tcp, udp } th dport 53 accept' },
  { table: 'nat', chain: 'POSTROUTING', rule: 'meta l4proto { tcp, udp } th dport 53 masquerade' },
];

describeWhere(['root', 'iptables'], 'IptablesBackend beside a rule that iptables cannot show', () => {
  let node: Pick<Network, 'runOnNode' | 'close'>;
  beforeEach(() => {
    node = createEmptyNode();
  });
  afterEach(() => node.close());

  async function nft(...args: string[]): Promise<string> {
    return node.runOnNode({ file: '/usr/sbin/nft', args, timeoutMs: 10_000 });
  }

  function newBackend(family: IPFamily): Backend {
    return createBackend('iptables', family, { run: node.runOnNode });
  }

  /** Into the chain as iptables-nft has it, which is made where it is not there. */
  async function addNative({ table, chain, rule }: NativeRule, family: IPFamily): Promise<void> {
    const ip = family === 'ipv4' ? 'ip' : 'ip6';
    const hook = chain === 'INPUT' ? 'filter hook input priority 0' : 'nat hook postrouting priority 100';
    await nft('add', 'table', ip, table);
    await nft(`add chain ${ip} ${table} ${chain} { type ${hook}; policy accept; }`);
    await nft(`add rule ${ip} ${table} ${chain} ${rule}`);
  }

  /** How often each jump stands in a chain of the kernel's: `{ 'INPUT KUBE-FORWARD': 1 }`. */
  async function jumps(table: string, family: IPFamily): Promise<Readonly<Record<string, number>>> {
    const found: Record<string, number> = {};
    const reader = new NftListingReader({
      onChain: () => undefined,
      onRule: ({ chain, to }) => {
        if (!chain.startsWith('KUBE-') && to.startsWith('KUBE-'))
          found[`${chain} ${to}`] = (found[`${chain} ${to}`] ?? 0) + 1;
      },
    });
    for (const line of (await nft('list', 'table', family === 'ipv4' ? 'ip' : 'ip6', table)).split('\n'))
      reader.read(line);
    return found;
  }

  const cases = ipFamilies.flatMap((family) => nativeRules.map((native) => ({ family, native })));

  describe.each(cases)('in table $native.table of $family: $native.rule', ({ family, native }) => {
    const { table } = native;

    test('syncs in full again and again, and no jump stands twice', async () => {
      await addNative(native, family);
      const full = { state: state(manyServices(3), config, family), changed: 'all', signal } as const;
      expect(await newBackend(family).sync(full)).toMatchObject({ services: 3 });
      const first = await jumps(table, family);
      expect(Object.keys(first).length).toBeGreaterThan(1);
      expect(Object.values(first).every((count) => count === 1)).toBe(true);
      expect(await newBackend(family).sync(full)).toMatchObject({ services: 3 });
      expect(await jumps(table, family)).toEqual(first);
    });

    test('goes on when it comes while the node serves: no drift, and changes arrive', async () => {
      const backend = newBackend(family);
      const before = manyServices(3);
      await backend.sync({ state: state(before, config, family), changed: 'all', signal });
      const standing = await jumps(table, family);
      await addNative(native, family);
      expect(await backend.findDrift(signal)).toBeUndefined();
      const after = [...before, plainService(7)];
      const change = { state: state(after, config, family), changed: keysOf([plainService(7)]), signal };
      expect(await backend.sync(change)).toMatchObject({ full: false, services: 4 });
      expect(await backend.findDrift(signal)).toBeUndefined();
      expect(await jumps(table, family)).toEqual(standing);
    });

    test('is still there after a clean-up, and nothing of ours is', async () => {
      await addNative(native, family);
      await newBackend(family).sync({ state: state(manyServices(3), config, family), changed: 'all', signal });
      expect((await newBackend(family).cleanup()).length).toBeGreaterThan(5);
      const listing = await nft('list', 'ruleset');
      expect(listing).not.toContain('KUBE-');
      expect(listing).toContain(native.rule.split(' ').at(-1));
    });
  });

  test('says which table, and what to do, where there is no nft to read it with; nothing piles up', async () => {
    await addNative(established, 'ipv4');
    const host = {
      run: node.runOnNode,
      find: async (name: string) => (name === 'nft' ? undefined : findProgram(name)),
    };
    for (let attempt = 0; attempt < 3; attempt += 1)
      await expect(
        createBackend('iptables', 'ipv4', host).sync({ state: state(manyServices(1), config), changed: 'all', signal }),
      ).rejects.toMatchObject({
        reason: 'TableUnreadable',
        message: expect.stringMatching(/table filter .* install nftables .*nft list table ip filter/),
      });
    expect(await jumps('filter', 'ipv4')).toEqual({});
    await expect(createBackend('iptables', 'ipv4', host).cleanup()).rejects.toMatchObject({
      reason: 'TableUnreadable',
    });
  });
});

describe('NftListingReader', () => {
  test('reads chains, rules and where they lead, and nothing of comments, hooks, sets and maps', () => {
    const text = `# Warning: table ip filter is managed by iptables-nft, do not touch!
table ip filter {
	set others {
		type ipv4_addr
		elements = { 192.0.2.1,
			     192.0.2.2 }
	}

	chain KUBE-SERVICES {
		xt match "comment" ip daddr 10.96.0.1 counter packets 0 bytes 0 xt target "REJECT"
	}

	chain FORWARD {
		type filter hook forward priority filter; policy accept;
		ct state new  counter packets 0 bytes 0 jump KUBE-SERVICES
		xt match "conntrack" xt match "comment" counter packets 0 bytes 0 jump KUBE-PROXY-FIREWALL
		 counter packets 0 bytes 0 jump KUBE-FORWARD
		ip saddr 192.0.2.1 accept comment "jump KUBE-FORWARD"
		ip saddr 192.0.2.2 goto OTHERS comment "ct state new"
	}
}`;
    const chains: string[] = [];
    const rules: string[] = [];
    const reader = new NftListingReader({
      onChain: (name) => void chains.push(name),
      onRule: ({ chain, to, onlyNew }) => void rules.push(`${chain} ${to} ${onlyNew}`),
    });
    for (const line of text.split('\n')) reader.read(line);
    expect(chains).toEqual(['KUBE-SERVICES', 'FORWARD']);
    expect(rules).toEqual([
      'KUBE-SERVICES  false',
      'FORWARD KUBE-SERVICES true',
      'FORWARD KUBE-PROXY-FIREWALL true',
      'FORWARD KUBE-FORWARD false',
      'FORWARD  false',
      'FORWARD OTHERS false',
    ]);
  });
});
