/**
 * The backend on the real kernel: what it makes of a node that was not empty, or whose tools lie.
 */
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Backend } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { findProgram } from '../../../src/system/command.ts';
import { iptablesObstacle } from '../../support/network.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { servicePortChains } from '../../../src/backend/engine/serviceRules/chainNames.ts';
import { nodeForEachTest } from './realNode.ts';
import { keysOf, manyServices, plainService, servicesArbitrary, signal, state } from './services.ts';

/** More than one block of an input; in a user namespace the kernel takes no messages of that size. */
const many = process.getuid?.() === 0 ? 220 : 40;

const obstacles = { nft: await iptablesObstacle('nft'), legacy: await iptablesObstacle('legacy') };

describe('IptablesBackend', () => {
  describe.each(['nft', 'legacy'] as const)('iptables %s', (variant) => {
    const obstacle = obstacles[variant];
    if (obstacle !== undefined) {
      test.skip(`the real kernel: ${obstacle}`, () => {});
      return;
    }
    const node = nodeForEachTest(variant);

    test('changes one after the other leave the kernel as a fresh start does', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(servicesArbitrary, { minLength: 3, maxLength: 6 }), async (steps) => {
          await node().sync([]);
          for (const [index, step] of steps.entries()) await node().sync(step, keysOf(steps[index - 1] ?? [], step));
          expect(await node().rules()).toEqual(await node().freshRules(steps.at(-1) ?? []));
        }),
        { numRuns: 4 },
      );
    });

    test('cost follows the change', async () => {
      const costs = [];
      for (const count of [10, many]) {
        await node().sync(manyServices(count));
        const { linesSent, commandsRun, servicePortsPlanned } = await node().sync(
          [plainService(0, ['podA']), ...manyServices(count).slice(1)],
          keysOf([plainService(0)]),
        );
        costs.push({ linesSent, commandsRun, servicePortsPlanned });
      }
      expect(costs[1]).toEqual(costs[0]);
      await node().sync([...manyServices(many), plainService(500)], keysOf([plainService(0), plainService(500)]));
      expect(await node().rules()).toEqual(await node().freshRules([...manyServices(many), plainService(500)]));
    });

    test("other programs' rules and chains stay as they are, also after clean-up", async () => {
      await node().load(foreignRules);
      const before = await node().rules();
      await node().sync(manyServices(3));
      await node().sync(manyServices(2), keysOf(manyServices(3)));
      const foreign = (all: Record<string, string[]>): unknown =>
        Object.fromEntries(
          Object.entries(before).map(([chain]) => [chain, all[chain]?.filter((rule) => before[chain]?.includes(rule))]),
        );
      expect(foreign(await node().rules())).toEqual(before);

      const removed = await node().backend.cleanup();
      expect(await node().rules()).toEqual(before);
      expect(removed).toEqual(
        expect.arrayContaining([
          `${variant} jump PREROUTING -> KUBE-SERVICES of table nat`,
          `${variant} chain KUBE-SERVICES of table nat`,
        ]),
      );
      expect(await node().backend.cleanup()).toEqual([]);
    });

    test('a hand-over leaves the rules of one chain for dispatch, as kube-proxy has them', async () => {
      await node().sync(manyServices(130));
      expect(Object.keys(await node().rules()).some((chain) => chain.startsWith('nat KUBE-SB-'))).toBe(true);
      const before = Object.values(await node().rules()).flat();
      const removed = await node().backend.handover?.();
      const after = await node().rules();
      expect(removed?.length).toBeGreaterThan(15);
      expect(after['nat KUBE-SERVICES']?.filter((rule) => rule.includes(' cluster IP'))).toHaveLength(130);
      expect(after['nat KUBE-SERVICES']?.at(-1)).toContain('-j KUBE-NODEPORTS');
      expect(Object.keys(after).filter((chain) => chain.startsWith('nat KUBE-SB-'))).toEqual([]);
      expect(withoutDispatch(Object.values(after).flat())).toEqual(withoutDispatch(before));
      expect(await node().backend.handover?.()).toEqual([]);
    });

    test('a new agent removes what the last one left of Services that are gone', async () => {
      await node().sync(manyServices(5));
      node().backend = node().newBackend();
      await node().sync(manyServices(1));
      expect(await node().rules()).toEqual(await node().freshRules(manyServices(1)));
    });

    test.each(['ipv4', 'ipv6'] as const)(
      'a start on rules that stand writes nothing, one on rules that differ what differs (%s)',
      async (family) => {
        await fc.assert(
          fc.asyncProperty(servicesArbitrary, fc.boolean(), async (some, hasTree) => {
            const fresh = (): Backend => createBackend('iptables', family, { run: node().runOnNode });
            const manifests = hasTree ? [...some, ...manyServices(130)] : some;
            const full = { state: state(manifests, node().config, family), changed: 'all', signal } as const;
            await fresh().sync(full);
            expect(await fresh().sync(full)).toMatchObject({ linesSent: 0, full: true });
            const more = { ...full, state: state([...manifests, plainService(700)], node().config, family) };
            const { linesSent } = await fresh().sync(more);
            expect(linesSent).toBeLessThan(50);
            expect(await fresh().sync(more)).toMatchObject({ linesSent: 0 });
          }),
          { numRuns: 6 },
        );
      },
    );

    test('a stale chain that a foreign rule leads to is only emptied', async () => {
      await node().sync([plainService(1)]);
      const chain = Object.keys(await node().rules()).find((name) => name.startsWith('nat KUBE-SVC-')) ?? '';
      await node().load(`*nat\n:FOREIGN - [0:0]\n-A FOREIGN -j ${chain.slice(4)}\nCOMMIT\n`);
      // The change is refused, and no Service is to blame: everything is written in the same sync.
      expect(await node().sync([], keysOf([plainService(1)]))).toMatchObject({ full: true, quarantined: [] });
      expect(await node().rules()).toMatchObject({ [chain]: [], 'nat FOREIGN': [`-A FOREIGN -j ${chain.slice(4)}`] });
    });

    test('chains of an old kube-proxy that lead to those of Services go with the first sync, and with a clean-up', async () => {
      const { cluster, suffix } = chainsOf(plainService(1));
      const old = `*nat\n:KUBE-XLB-${suffix} - [0:0]\n:${cluster} - [0:0]\n-A KUBE-XLB-${suffix} -j ${cluster}\nCOMMIT\n`;
      await node().load(old);
      await node().sync(manyServices(3));
      expect(await node().rules()).toEqual(await node().freshRules(manyServices(3)));
      const without = manyServices(3).filter(({ name }) => name !== plainService(1).name);
      expect(await node().sync(without, keysOf([plainService(1)]))).toMatchObject({ full: false });
      await node().load(old);
      expect(await node().backend.cleanup()).toContain(`${variant} chain KUBE-XLB-${suffix} of table nat`);
    });

    const other = variant === 'nft' ? 'legacy' : 'nft';
    const testWithOther = obstacles[other] === undefined ? test : test.skip;
    testWithOther(`the configuration moves the rules to the other variant ${obstacles[other] ?? ''}`, async () => {
      await node().sync(manyServices(2));
      await node().backend.sync({
        state: state(manyServices(2), { iptables: { backend: other === 'nft' ? 'Nft' : 'Legacy' } }),
        changed: new Set(),
        signal,
      });
      expect(Object.keys(await node().rules(variant)).filter((chain) => chain.includes('KUBE-'))).toEqual([]);
      expect(Object.keys(await node().rules(other)).filter((chain) => chain.includes('KUBE-SVC-'))).toHaveLength(2);
    });

    test('Auto takes the variant that kubelet uses', async () => {
      await node().load('*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n');
      await node().backend.sync({
        state: state(manyServices(1), { iptables: { backend: 'Auto' } }),
        changed: 'all',
        signal,
      });
      expect(Object.keys(await node().rules()).some((chain) => chain.startsWith('nat KUBE-SVC-'))).toBe(true);
    });

    describe('tools that are not what they should be', () => {
      let directory: string;
      beforeEach(async () => {
        directory = await mkdtemp(join(tmpdir(), 'tools-'));
        node().backend = createBackend('iptables', 'ipv4', {
          run: node().runOnNode,
          find: (name) => findProgram(name, [directory]),
        });
      });
      afterEach(() => rm(directory, { recursive: true }));

      async function install(restore: string): Promise<void> {
        await writeFile(join(directory, `iptables-${variant}-restore`), `#!/bin/sh\n${restore}\n`);
        await chmod(join(directory, `iptables-${variant}-restore`), 0o755);
        await symlink(`/usr/sbin/iptables-${variant}-save`, join(directory, `iptables-${variant}-save`));
      }
      const version = `[ "$1" = --version ] && exec /usr/sbin/iptables-${variant}-restore --version`;

      test('an iptables-restore that does nothing and exits with 0 is found out', async () => {
        await install(`${version}\nexec cat >/dev/null`);
        await expect(node().sync(manyServices(1))).rejects.toMatchObject({
          name: 'SyncError',
          reason: 'VerificationFailed',
        });
        await expect(node().sync(manyServices(1))).rejects.toMatchObject({ reason: 'VerificationFailed' });
      });

      test('one that takes a table only once in a run gets everything at once', async () => {
        const real = `/usr/sbin/iptables-${variant}-restore`;
        await install(
          `input=$(cat)\n[ "$(echo "$input" | grep -c '^.nat$')" -gt 1 ] && exit 2\necho "$input" | ${real} "$@"`,
        );
        expect(await node().sync(manyServices(150))).toMatchObject({ services: 150 });
        expect(await node().rules()).toEqual(await node().freshRules(manyServices(150)));
      });

      test('one that fails is a refusal of the mode, and its words stay in the cause', async () => {
        await install(`${version}\necho secret >&2; exit 3`);
        const refusal = await node().backend.preflight(state([], node().config).config);
        expect(refusal).toMatchObject({ reason: 'ToolFailed' });
        expect(JSON.stringify(refusal)).not.toContain('secret');
      });

      test('one that is missing is named', async () => {
        expect(await node().backend.preflight(state([], { iptables: { backend: 'Auto' } }).config)).toMatchObject({
          reason: 'ToolMissing',
          message: expect.stringContaining('install'),
        });
        expect(await node().backend.preflight(state([], node().config).config)).toMatchObject({
          reason: 'VariantMissing',
        });
      });
    });

    test('preflight finds nothing to say on a good node, and changes nothing', async () => {
      expect(await node().backend.preflight(state([], node().config).config)).toBeUndefined();
      expect(Object.values(await node().rules()).flat()).toEqual([]);
      expect(Object.keys(await node().rules()).filter((chain) => chain.includes('KUBE'))).toEqual([]);
    });
  });
});

function chainsOf(service: ServiceManifest): { readonly cluster: string; readonly suffix: string } {
  const [key = ''] = keysOf([service]);
  const [port] = state([service]).ports(key);
  if (port === undefined) throw new Error('no port');
  const { cluster } = servicePortChains(port);
  return { cluster, suffix: cluster.slice('KUBE-SVC-'.length) };
}

function withoutDispatch(all: readonly string[]): string[] {
  return all.filter((rule) => !/^-A KUBE-(SERVICES|SB-\S+) .*cluster IP|KUBE-SB-/.test(rule)).sort();
}

const foreignRules = `*mangle
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
:FOREIGN - [0:0]
-A KUBE-FIREWALL -m comment --comment "of kubelet" -j RETURN
-A INPUT -j KUBE-FIREWALL
-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "leads nowhere -j KUBE-SERVICES at all" -j ACCEPT
-A FOREIGN -j ACCEPT
-A FORWARD -j FOREIGN
COMMIT
*nat
:KUBE-MARK-MASQ - [0:0]
:CNI-HOSTPORT - [0:0]
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A CNI-HOSTPORT -s 10.244.0.0/16 -j KUBE-MARK-MASQ
-A PREROUTING -j CNI-HOSTPORT
COMMIT
`;
