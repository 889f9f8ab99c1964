/**
 * The backend on the real kernel: what it makes of a node that was not empty, that somebody disturbed, or whose tools
 * lie.
 */
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Backend } from '../../../src/backend/backend.ts';
import { createIptablesBackend } from '../../../src/backend/iptables/apply.ts';
import { findProgram } from '../../../src/system/command.ts';
import type { Network } from '../../support/network.ts';
import { createEmptyNode, iptablesObstacle } from '../../support/network.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { keysOf, manyServices, plainService, servicesArbitrary, signal, state } from './services.ts';

/** More than one block of an input; in a user namespace the kernel takes no messages of that size. */
const many = process.getuid?.() === 0 ? 220 : 40;

type Node = Pick<Network, 'runOnNode' | 'close'>;
const obstacles = { nft: await iptablesObstacle('nft'), legacy: await iptablesObstacle('legacy') };

describe('IptablesBackend', () => {
  describe.each(['nft', 'legacy'] as const)('iptables %s', (variant) => {
    const obstacle = obstacles[variant];
    if (obstacle !== undefined) {
      test.skip(`the real kernel: ${obstacle}`, () => {});
      return;
    }
    const config = { iptables: { backend: variant === 'nft' ? ('Nft' as const) : ('Legacy' as const) } };
    let node: Node;
    let backend: Backend;
    const nodes: Node[] = [];

    function newNode(): Node {
      const made = createEmptyNode();
      nodes.push(made);
      return made;
    }
    beforeEach(() => {
      node = newNode();
      backend = createIptablesBackend('ipv4', { run: node.runOnNode });
    });
    afterEach(async () => {
      await Promise.all(nodes.splice(0).map((each) => each.close()));
    });

    /** Every chain with its rules, without counters: `{ 'nat KUBE-SERVICES': [...] }`. */
    async function rules(on: Node = node, which: string = variant): Promise<Record<string, string[]>> {
      const chains: Record<string, string[]> = {};
      let table = '';
      const read = (line: string): void => {
        if (line.startsWith('*')) table = line.slice(1);
        if (line.startsWith(':')) chains[`${table} ${line.slice(1).split(' ')[0]}`] = [];
        if (line.startsWith('-A ')) chains[`${table} ${line.split(' ')[1]}`]?.push(line);
      };
      await on.runOnNode({ file: `/usr/sbin/iptables-${which}-save`, args: [], onLine: read, timeoutMs: 10_000 });
      return chains;
    }

    async function load(input: string): Promise<void> {
      await node.runOnNode({
        file: `/usr/sbin/iptables-${variant}-restore`,
        args: ['--noflush'],
        input: [input],
        timeoutMs: 10_000,
      });
    }

    function sync(
      manifests: readonly ServiceManifest[],
      changed: ReadonlySet<string> | 'all' = 'all',
    ): ReturnType<Backend['sync']> {
      return backend.sync({ state: state(manifests, config), changed, signal });
    }

    /** What a node that was empty would hold. */
    async function freshRules(manifests: readonly ServiceManifest[]): Promise<Record<string, string[]>> {
      const fresh = newNode();
      await createIptablesBackend('ipv4', { run: fresh.runOnNode }).sync({
        state: state(manifests, config),
        changed: 'all',
        signal,
      });
      return rules(fresh);
    }

    test('changes one after the other leave the kernel as a fresh start does', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(servicesArbitrary, { minLength: 3, maxLength: 6 }), async (steps) => {
          await sync([]);
          for (const [index, step] of steps.entries()) await sync(step, keysOf(steps[index - 1] ?? [], step));
          expect(await rules()).toEqual(await freshRules(steps.at(-1) ?? []));
        }),
        { numRuns: 4 },
      );
    });

    test('cost follows the change', async () => {
      const costs = [];
      for (const count of [10, many]) {
        await sync(manyServices(count));
        const { linesSent, commandsRun, servicePortsPlanned } = await sync(
          [plainService(0, ['podA']), ...manyServices(count).slice(1)],
          keysOf([plainService(0)]),
        );
        costs.push({ linesSent, commandsRun, servicePortsPlanned });
      }
      expect(costs[1]).toEqual(costs[0]);
      await sync([...manyServices(many), plainService(500)], keysOf([plainService(0), plainService(500)]));
      expect(await rules()).toEqual(await freshRules([...manyServices(many), plainService(500)]));
    });

    test("other programs' rules and chains stay as they are, also after clean-up", async () => {
      await load(foreignRules);
      const before = await rules();
      await sync(manyServices(3));
      await sync(manyServices(2), keysOf(manyServices(3)));
      const foreign = (all: Record<string, string[]>): unknown =>
        Object.fromEntries(
          Object.entries(before).map(([chain]) => [chain, all[chain]?.filter((rule) => before[chain]?.includes(rule))]),
        );
      expect(foreign(await rules())).toEqual(before);

      const removed = await backend.cleanup();
      expect(await rules()).toEqual(before);
      expect(removed).toEqual(
        expect.arrayContaining([
          `${variant} jump PREROUTING -> KUBE-SERVICES of table nat`,
          `${variant} chain KUBE-SERVICES of table nat`,
        ]),
      );
      expect(await backend.cleanup()).toEqual([]);
    });

    test('a hand-over leaves the rules of one chain for dispatch, as kube-proxy has them', async () => {
      await sync(manyServices(130));
      expect(Object.keys(await rules()).some((chain) => chain.startsWith('nat KUBE-SB-'))).toBe(true);
      const before = Object.values(await rules()).flat();
      const removed = await backend.handover?.();
      const after = await rules();
      expect(removed?.length).toBeGreaterThan(15);
      expect(after['nat KUBE-SERVICES']?.filter((rule) => rule.includes(' cluster IP'))).toHaveLength(130);
      expect(after['nat KUBE-SERVICES']?.at(-1)).toContain('-j KUBE-NODEPORTS');
      expect(Object.keys(after).filter((chain) => chain.startsWith('nat KUBE-SB-'))).toEqual([]);
      expect(withoutDispatch(Object.values(after).flat())).toEqual(withoutDispatch(before));
      expect(await backend.handover?.()).toEqual([]);
    });

    test('a new agent removes what the last one left of Services that are gone', async () => {
      await sync(manyServices(5));
      backend = createIptablesBackend('ipv4', { run: node.runOnNode });
      await sync(manyServices(1));
      expect(await rules()).toEqual(await freshRules(manyServices(1)));
    });

    test.each(['ipv4', 'ipv6'] as const)(
      'a start on rules that stand writes nothing, one on rules that differ what differs (%s)',
      async (family) => {
        await fc.assert(
          fc.asyncProperty(servicesArbitrary, fc.boolean(), async (some, hasTree) => {
            const fresh = (): Backend => createIptablesBackend(family, { run: node.runOnNode });
            const manifests = hasTree ? [...some, ...manyServices(130)] : some;
            const full = { state: state(manifests, config, family), changed: 'all', signal } as const;
            await fresh().sync(full);
            expect(await fresh().sync(full)).toMatchObject({ linesSent: 0, full: true });
            const more = { ...full, state: state([...manifests, plainService(700)], config, family) };
            const { linesSent } = await fresh().sync(more);
            expect(linesSent).toBeLessThan(50);
            expect(await fresh().sync(more)).toMatchObject({ linesSent: 0 });
          }),
          { numRuns: 6 },
        );
      },
    );

    test('a stale chain that a foreign rule leads to is only emptied', async () => {
      await sync([plainService(1)]);
      const chain = Object.keys(await rules()).find((name) => name.startsWith('nat KUBE-SVC-')) ?? '';
      await load(`*nat\n:FOREIGN - [0:0]\n-A FOREIGN -j ${chain.slice(4)}\nCOMMIT\n`);
      await expect(sync([], keysOf([plainService(1)]))).rejects.toMatchObject({
        name: 'SyncError',
        reason: 'ToolFailed',
      });
      expect(await sync([], new Set())).toMatchObject({ full: true });
      expect(await rules()).toMatchObject({ [chain]: [], 'nat FOREIGN': [`-A FOREIGN -j ${chain.slice(4)}`] });
    });

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
        await sync(manyServices(2));
        expect(await backend.findDrift(signal)).toBeUndefined();
        await load(input);
        expect(await backend.findDrift(signal)).toMatch(words);
        await sync(manyServices(2));
        expect(await backend.findDrift(signal)).toBeUndefined();
        expect(await rules()).toEqual(await freshRules(manyServices(2)));
      });

      test('another rule in the place of one of a Service is seen, also when the Service changed since, and our own changes are not', async () => {
        await sync(manyServices(3));
        const changed = [plainService(0, ['podA']), plainService(1), plainService(2)];
        await sync(changed, keysOf([plainService(0)]));
        expect(await backend.findDrift(signal)).toBeUndefined();
        const chains = Object.entries(await rules()).filter(([name]) => name.startsWith('nat KUBE-SEP-'));
        expect(chains).toHaveLength(7);
        for (const [name, lines] of chains) {
          const [chain, rule = ''] = [name.slice('nat '.length), lines.at(-1)?.replace(/^-A \S+ /, '')];
          await load(
            `*nat\n-D ${chain} ${rule}\n-A ${chain} ${rule.replace(/--to-destination \S+/, '--to-destination 203.0.113.9:1')}\nCOMMIT\n`,
          );
          expect(await backend.findDrift(signal)).toBe(
            `chain ${chain} of table nat holds other rules than were written`,
          );
          await load(`*nat\n-F ${chain}\n${lines.join('\n')}\nCOMMIT\n`);
          expect(await backend.findDrift(signal)).toBeUndefined();
        }
      });

      test('a jump of somebody else that takes other packets is not ours', async () => {
        await sync(manyServices(1));
        const jump = '-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
        await load(`*filter\n-D OUTPUT ${jump}\n-A OUTPUT -j KUBE-SERVICES\nCOMMIT\n`);
        expect(await backend.findDrift(signal)).toMatch(/jump from OUTPUT to KUBE-SERVICES in table filter/);
      });

      test('a change that no longer fits fails, and the next one writes everything', async () => {
        await sync(manyServices(2));
        await load('*nat\n-F KUBE-SERVICES\nCOMMIT\n');
        await expect(sync([plainService(1)], keysOf([plainService(0)]))).rejects.toMatchObject({ name: 'SyncError' });
        expect(await sync([plainService(1)], new Set())).toMatchObject({ full: true });
        expect(await rules()).toEqual(await freshRules([plainService(1)]));
      });
    });

    const other = variant === 'nft' ? 'legacy' : 'nft';
    const testWithOther = obstacles[other] === undefined ? test : test.skip;
    testWithOther(`the configuration moves the rules to the other variant ${obstacles[other] ?? ''}`, async () => {
      await sync(manyServices(2));
      await backend.sync({
        state: state(manyServices(2), { iptables: { backend: other === 'nft' ? 'Nft' : 'Legacy' } }),
        changed: new Set(),
        signal,
      });
      expect(Object.keys(await rules(node, variant)).filter((chain) => chain.includes('KUBE-'))).toEqual([]);
      expect(Object.keys(await rules(node, other)).filter((chain) => chain.includes('KUBE-SVC-'))).toHaveLength(2);
    });

    test('Auto takes the variant that kubelet uses', async () => {
      await load('*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n');
      await backend.sync({ state: state(manyServices(1), { iptables: { backend: 'Auto' } }), changed: 'all', signal });
      expect(Object.keys(await rules()).some((chain) => chain.startsWith('nat KUBE-SVC-'))).toBe(true);
    });

    describe('tools that are not what they should be', () => {
      let directory: string;
      beforeEach(async () => {
        directory = await mkdtemp(join(tmpdir(), 'tools-'));
        backend = createIptablesBackend('ipv4', {
          run: node.runOnNode,
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
        await expect(sync(manyServices(1))).rejects.toMatchObject({ name: 'SyncError', reason: 'VerificationFailed' });
        await expect(sync(manyServices(1))).rejects.toMatchObject({ reason: 'VerificationFailed' });
      });

      test('one that takes a table only once in a run gets everything at once', async () => {
        const real = `/usr/sbin/iptables-${variant}-restore`;
        await install(
          `input=$(cat)\n[ "$(echo "$input" | grep -c '^.nat$')" -gt 1 ] && exit 2\necho "$input" | ${real} "$@"`,
        );
        expect(await sync(manyServices(150))).toMatchObject({ services: 150 });
        expect(await rules()).toEqual(await freshRules(manyServices(150)));
      });

      test('one that fails is a refusal of the mode, and its words stay in the cause', async () => {
        await install(`${version}\necho secret >&2; exit 3`);
        const refusal = await backend.preflight(state([], config).config);
        expect(refusal).toMatchObject({ reason: 'ToolFailed' });
        expect(JSON.stringify(refusal)).not.toContain('secret');
      });

      test('one that is missing is named', async () => {
        expect(await backend.preflight(state([], { iptables: { backend: 'Auto' } }).config)).toMatchObject({
          reason: 'ToolMissing',
          message: expect.stringContaining('install'),
        });
        expect(await backend.preflight(state([], config).config)).toMatchObject({ reason: 'VariantMissing' });
      });
    });

    test('preflight finds nothing to say on a good node, and changes nothing', async () => {
      expect(await backend.preflight(state([], config).config)).toBeUndefined();
      expect(Object.values(await rules()).flat()).toEqual([]);
      expect(Object.keys(await rules()).filter((chain) => chain.includes('KUBE'))).toEqual([]);
    });
  });
});

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
