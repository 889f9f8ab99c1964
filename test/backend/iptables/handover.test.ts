/**
 * What would stand in kube-proxy's way besides the tree of dispatch: the chain of an agent that was killed while it
 * looked for a Service that the kernel refuses. On the real kernel.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Backend } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { atOnce } from '../../../src/backend/engine/turns.ts';
import { planState } from '../../../src/backend/iptables/plan/plan.ts';
import { trialTransaction } from '../../../src/backend/engine/serviceRules/transaction.ts';
import { createEmptyNode, iptablesObstacle, type Network } from '../../support/network.ts';
import { manyServices, plainService, serviceCIDRs, signal, state } from './services.ts';

const obstacles = { nft: await iptablesObstacle('nft'), legacy: await iptablesObstacle('legacy') };

describe('handOver', () => {
  describe.each(['nft', 'legacy'] as const)('iptables %s', (variant) => {
    const obstacle = obstacles[variant];
    if (obstacle !== undefined) {
      test.skip(`the real kernel: ${obstacle}`, () => {});
      return;
    }
    const config = { iptables: { backend: variant === 'nft' ? ('Nft' as const) : ('Legacy' as const) } };
    let node: Pick<Network, 'runOnNode' | 'close'>;
    let backend: Backend;
    beforeEach(() => {
      node = createEmptyNode();
      backend = createBackend('iptables', 'ipv4', { run: node.runOnNode });
    });
    afterEach(() => node.close());

    async function load(input: string): Promise<void> {
      await node.runOnNode({
        file: `/usr/sbin/iptables-${variant}-restore`,
        args: ['--noflush'],
        input: [input],
        timeoutMs: 10_000,
      });
    }

    async function saved(): Promise<string[]> {
      const lines: string[] = [];
      const read = (line: string): void => void (line.startsWith('#') || lines.push(line.replace(/ \[\d+:\d+\]$/, '')));
      await node.runOnNode({ file: `/usr/sbin/iptables-${variant}-save`, args: [], onLine: read, timeoutMs: 10_000 });
      return lines;
    }

    test.each([
      { name: 'few Services', count: 3 },
      { name: 'a tree', count: 130 },
    ])('takes the check of unused cluster IPs away, and nothing else of filter ($name)', async ({ count }) => {
      const manifests = [...manyServices(count), plainService(700, [])];
      await backend.sync({ state: state(manifests, config), changed: 'all', signal });
      await backend.handover?.();
      const without = await saved();
      await backend.sync({ state: state(manifests, config, 'ipv4', serviceCIDRs), changed: 'all', signal });
      expect((await saved()).filter((line) => line.includes('-j KUBE-CLUSTER-IPS-REJECT'))).toHaveLength(count + 1);

      const removed = await backend.handover?.();
      expect((await saved()).toSorted()).toEqual(without.toSorted());
      expect(removed).toEqual(
        expect.arrayContaining(
          ['CHECK', 'REJECT'].map((each) => `${variant} chain KUBE-CLUSTER-IPS-${each} of table filter`),
        ),
      );
      expect(await backend.handover?.()).toEqual([]);
    });

    test.each([
      { name: 'few Services', count: 3 },
      { name: 'a tree', count: 130 },
    ])('a hand-over takes the chain of a trial away, as after none ($name)', async ({ count }) => {
      const manifests = [...manyServices(count), plainService(700, [])];
      const desired = state(manifests, config);
      await backend.sync({ state: desired, changed: 'all', signal });
      const existing = await saved();
      await backend.handover?.();
      const without = await saved();

      await backend.sync({ state: desired, changed: 'all', signal });
      const plan = planState(desired);
      const servicePorts = [...plan.keys()].flatMap((key) => atOnce(plan.rulesOf(key)));
      await load([...trialTransaction(plan.fixed, servicePorts, Infinity)].join(''));
      const tried = (await saved()).filter((line) => !existing.includes(line));
      // The Service without endpoints is refused in filter.
      expect(tried.filter((line) => line.startsWith('-A KUBE-PROXY-TRIAL '))).toHaveLength(count + 1);
      expect(tried.filter((line) => line.startsWith(':KUBE-PROXY-TRIAL '))).toHaveLength(2);

      const removed = await backend.handover?.();
      expect(await saved()).toEqual(without);
      expect(removed).toEqual(
        expect.arrayContaining(['nat', 'filter'].map((table) => `${variant} chain KUBE-PROXY-TRIAL of table ${table}`)),
      );
      expect(await backend.handover?.()).toEqual([]);
    });
  });
});
