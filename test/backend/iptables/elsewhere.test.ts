/**
 * Rules under our names in the variant of iptables that does not serve. On the real kernel; with an agent, and with
 * kube-proxy: `test/faults/leftovers.test.ts`.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Backend } from '../../../src/backend/backend.ts';
import { renderIptables } from '../../../src/backend/iptables/plan/render.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import { createEmptyNode, iptablesObstacle, type Network } from '../../support/network.ts';
import { manyServices, signal, state } from './services.ts';

const variants = ['nft', 'legacy'] as const;
type Variant = (typeof variants)[number];
const obstacle = (await iptablesObstacle('nft')) ?? (await iptablesObstacle('legacy'));

const foreign = '*nat\n:KUBE-KUBELET-CANARY - [0:0]\n:OTHERS - [0:0]\n-A POSTROUTING -j OTHERS\nCOMMIT\n';

const desired = (variant: Variant): ServiceState =>
  state(manyServices(3), { iptables: { backend: variant === 'nft' ? 'Nft' : 'Legacy' } });
const isOurs = (line: string): boolean => /KUBE-(?!KUBELET)/.test(line);

/** The two chains, what is in them and leads to them; not the rules of Services that do. */
const isOfMasquerading = /^:KUBE-(MARK-MASQ|POSTROUTING)|^-A (KUBE-MARK-MASQ|KUBE-POSTROUTING|POSTROUTING|OTHERS) /;

describe('removeElsewhere', () => {
  if (obstacle !== undefined) {
    test.skip(`the real kernel: ${obstacle}`, () => {});
    return;
  }
  let node: Pick<Network, 'runOnNode' | 'close'>;
  let backend: Backend;
  beforeEach(() => {
    node = createEmptyNode();
    backend = createBackend('iptables', 'ipv4', { run: node.runOnNode });
  });
  afterEach(() => node.close());

  async function load(variant: Variant, input: string): Promise<void> {
    const file = `/usr/sbin/iptables-${variant}-restore`;
    await node.runOnNode({ file, args: ['--noflush'], input: [input], timeoutMs: 10_000 });
  }

  async function saved(variant: Variant): Promise<string[]> {
    const lines: string[] = [];
    const onLine = (line: string): void => void (line.startsWith('#') || lines.push(line.replace(/ \[\d+:\d+\]$/, '')));
    await node.runOnNode({ file: `/usr/sbin/iptables-${variant}-save`, args: [], onLine, timeoutMs: 10_000 });
    return lines;
  }

  test.each(variants)('leaves what serves in %s, and whatever is others alone', async (serving) => {
    const left = serving === 'nft' ? 'legacy' : 'nft';
    for (const variant of variants) await load(variant, foreign);
    await load(left, renderIptables(desired(left)).input);
    await backend.sync({ state: desired(serving), changed: 'all', signal });
    const [inForce, leftovers] = [await saved(serving), await saved(left)];
    const names = await backend.removeElsewhere?.({ isDryRun: true });
    expect(names).toContain(`${left} chain KUBE-SERVICES of table nat`);
    expect(names?.filter((name) => !name.startsWith(`${left} `))).toEqual([]);
    expect(await saved(left)).toEqual(leftovers);
    expect(await backend.removeElsewhere?.()).toEqual(names);
    expect(await saved(left)).toEqual(leftovers.filter((line) => !isOurs(line)));
    expect(await saved(serving)).toEqual(inForce);
    expect(await backend.removeElsewhere?.()).toEqual([]);
  });

  test('takes nothing away of a sync in that variant that begins meanwhile', async () => {
    await backend.sync({ state: desired('legacy'), changed: 'all', signal });
    const inForce = await saved('legacy');
    const next = createBackend('iptables', 'ipv4', { run: node.runOnNode });
    await next.sync({ state: desired('nft'), changed: 'all', signal });
    await Promise.all([
      next.removeElsewhere?.({ keepsShared: true }),
      next.sync({ state: desired('legacy'), changed: 'all', signal }),
    ]);
    const sorted = (await saved('legacy')).sort();
    expect(sorted).toEqual(inForce.sort());
  });

  test('leaves the chain that masquerades where another program marks packets for it, and its jump', async () => {
    await load('legacy', renderIptables(desired('legacy')).input);
    await load('legacy', '*nat\n:OTHERS - [0:0]\n-A OTHERS -p tcp -m tcp --dport 9999 -j KUBE-MARK-MASQ\nCOMMIT\n');
    const kept = (await saved('legacy')).filter((line) => isOfMasquerading.test(line));
    await backend.sync({ state: desired('nft'), changed: 'all', signal });
    await backend.removeElsewhere?.({ keepsShared: true });
    expect((await saved('legacy')).filter(isOurs)).toEqual(kept);
  });

  test('leaves the bridge of ipvs mode, which that takes away when its connections have ended', async () => {
    const bridge = '*nat\n:KUBE-IPVS-DRAIN - [0:0]\n-A POSTROUTING -j KUBE-IPVS-DRAIN\nCOMMIT\n';
    await load('legacy', bridge);
    await load('legacy', renderIptables(desired('legacy')).input);
    await backend.sync({ state: desired('nft'), changed: 'all', signal });
    await backend.removeElsewhere?.();
    expect((await saved('legacy')).filter(isOurs)).toEqual([':KUBE-IPVS-DRAIN -', '-A POSTROUTING -j KUBE-IPVS-DRAIN']);
  });
});

describe('A change of iptables.backend', () => {
  if (obstacle !== undefined) {
    test.skip(`the real kernel: ${obstacle}`, () => {});
    return;
  }
  test('to the variant that serves already leaves its rules', async () => {
    const node = createEmptyNode();
    try {
      const backend = createBackend('iptables', 'ipv4', { run: node.runOnNode });
      const change = async (choice: 'Auto' | 'Nft'): Promise<readonly string[]> => {
        const desiredState = state(manyServices(3), { iptables: { backend: choice } });
        await backend.sync({ state: desiredState, changed: 'all', signal });
        const lines: string[] = [];
        const onLine = (line: string): void => void (line.startsWith('-A ') && lines.push(line));
        await node.runOnNode({ file: '/usr/sbin/iptables-nft-save', args: [], onLine, timeoutMs: 10_000 });
        return lines.filter(isOurs);
      };
      const before = await change('Auto');
      expect(before).not.toEqual([]);
      for (const choice of ['Nft', 'Auto', 'Nft'] as const) expect(await change(choice)).toEqual(before);
    } finally {
      await node.close();
    }
  });
});
