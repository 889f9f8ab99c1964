/**
 * Rules that somebody disturbed, on the real kernel: they are noticed and repaired.
 */
import { describe, expect, test } from '@jest/globals';
import { iptablesObstacle } from '../../support/network.ts';
import { nodeForEachTest } from './realNode.ts';
import { keysOf, manyServices, plainService, signal } from './services.ts';

const obstacles = { nft: await iptablesObstacle('nft'), legacy: await iptablesObstacle('legacy') };

describe('IptablesBackend', () => {
  describe.each(['nft', 'legacy'] as const)('iptables %s', (variant) => {
    const obstacle = obstacles[variant];
    if (obstacle !== undefined) {
      test.skip(`the real kernel: ${obstacle}`, () => {});
      return;
    }
    const node = nodeForEachTest(variant);

    describe('drift', () => {
      const disturbances = [
        { name: 'a flushed table', input: '*nat\n-F\nCOMMIT\n', words: /table nat/ },
        {
          name: 'a deleted jump',
          input: '*nat\n-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n',
          words: /jump from PREROUTING to KUBE-SERVICES/,
        },
        {
          name: 'a flushed chain',
          input: '*filter\n-F KUBE-FORWARD\nCOMMIT\n',
          words: /chain KUBE-FORWARD of table filter holds 0 rules/,
        },
        {
          name: 'a rule of somebody else in a chain of ours',
          input: '*nat\n-I KUBE-SERVICES -j RETURN\nCOMMIT\n',
          words: /chain KUBE-SERVICES of table nat/,
        },
        {
          name: 'another rule in the place of one of ours',
          input: '*nat\n-R KUBE-MARK-MASQ 1 -j RETURN\nCOMMIT\n',
          words: /chain KUBE-MARK-MASQ of table nat holds other rules/,
        },
        { name: 'a flushed canary', input: '*mangle\n-F\nCOMMIT\n', words: /KUBE-PROXY-CANARY of table mangle/ },
      ];
      test.each(disturbances)('$name is seen and repaired', async ({ input, words }) => {
        await node().sync(manyServices(2));
        expect(await node().backend.findDrift(signal)).toBeUndefined();
        await node().load(input);
        expect(await node().backend.findDrift(signal)).toMatch(words);
        await node().sync(manyServices(2));
        expect(await node().backend.findDrift(signal)).toBeUndefined();
        expect(await node().rules()).toEqual(await node().freshRules(manyServices(2)));
      });

      test('another rule in the place of one of a Service is seen, also when the Service changed since, and our own changes are not', async () => {
        await node().sync(manyServices(3));
        const changed = [plainService(0, ['podA']), plainService(1), plainService(2)];
        await node().sync(changed, keysOf([plainService(0)]));
        expect(await node().backend.findDrift(signal)).toBeUndefined();
        const chains = Object.entries(await node().rules()).filter(([name]) => name.startsWith('nat KUBE-SEP-'));
        expect(chains).toHaveLength(7);
        for (const [name, lines] of chains) {
          const [chain, rule = ''] = [name.slice('nat '.length), lines.at(-1)?.replace(/^-A \S+ /, '')];
          await node().load(
            `*nat\n-D ${chain} ${rule}\n-A ${chain} ${rule.replace(/--to-destination \S+/, '--to-destination 203.0.113.9:1')}\nCOMMIT\n`,
          );
          expect(await node().backend.findDrift(signal)).toBe(
            `chain ${chain} of table nat holds other rules than were written`,
          );
          await node().load(`*nat\n-F ${chain}\n${lines.join('\n')}\nCOMMIT\n`);
          expect(await node().backend.findDrift(signal)).toBeUndefined();
        }
      });

      test('a jump that stands twice is seen and taken out once, and no rule of somebody else that leads to the same chain', async () => {
        await node().sync(manyServices(1));
        const foreign = '-A FORWARD -i eth9 -m conntrack --ctstate NEW -j KUBE-SERVICES';
        await node().load(`*filter\n${foreign}\nCOMMIT\n`);
        expect(await node().backend.findDrift(signal)).toBeUndefined();
        const jump = '-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
        for (let time = 0; time < 3; time += 1) await node().load(`*filter\n-I FORWARD ${jump}\nCOMMIT\n`);
        expect(await node().backend.findDrift(signal)).toBe(
          'the jump from FORWARD to KUBE-SERVICES in table filter stands more than once',
        );
        await node().sync(manyServices(1));
        expect(await node().backend.findDrift(signal)).toBeUndefined();
        const rules = (await node().rules())['filter FORWARD'] ?? [];
        expect(rules.filter((rule) => rule.includes('"kubernetes service portals"'))).toHaveLength(1);
        expect(rules).toContain(foreign);
      });

      test('a jump of somebody else that takes other packets is not ours', async () => {
        await node().sync(manyServices(1));
        const jump = '-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
        await node().load(`*filter\n-D OUTPUT ${jump}\n-A OUTPUT -j KUBE-SERVICES\nCOMMIT\n`);
        expect(await node().backend.findDrift(signal)).toMatch(/jump from OUTPUT to KUBE-SERVICES in table filter/);
      });

      test('a change that no longer fits writes everything in the same sync', async () => {
        await node().sync(manyServices(2));
        await node().load('*nat\n-F KUBE-SERVICES\nCOMMIT\n');
        expect(await node().sync([plainService(1)], keysOf([plainService(0)]))).toMatchObject({
          full: true,
          quarantined: [],
        });
        expect(await node().rules()).toEqual(await node().freshRules([plainService(1)]));
      });
    });
  });
});
