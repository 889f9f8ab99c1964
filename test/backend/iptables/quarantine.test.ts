/**
 * Services that the kernel refuses, on the real kernel: iptables-restore fails whenever its input holds one of theirs,
 * and succeeds otherwise.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { Backend } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { findRefused } from '../../../src/backend/engine/bisect.ts';
import { CommandError, type RunCommand } from '../../../src/system/command.ts';
import type { Network } from '../../support/network.ts';
import { createEmptyNode, iptablesObstacle } from '../../support/network.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { keysOf, manyServices, plainService, signal, state } from './services.ts';

const isThere = (index: number): string => `-d 10.96.${index >> 8}.${index & 255}/32`;
const quarantined = (index: number): object => ({
  service: `many/svc-${String(index).padStart(5, '0')}`,
  reason: 'KernelRefused',
  message: expect.not.stringContaining('secret'),
});

const obstacles = { nft: await iptablesObstacle('nft'), legacy: await iptablesObstacle('legacy') };

describe('quarantine', () => {
  describe('findRefused', () => {
    const keys = Array.from({ length: 100 }, (_, index) => `ns/svc-${index}`);
    const rows = [
      { name: 'one of a hundred', bad: ['ns/svc-37'], refused: ['ns/svc-37'], maxTrials: 16 },
      {
        name: 'the first, the last and two neighbours',
        bad: ['ns/svc-0', 'ns/svc-50', 'ns/svc-51', 'ns/svc-99'],
        refused: ['ns/svc-0', 'ns/svc-50', 'ns/svc-51', 'ns/svc-99'],
        maxTrials: 50,
      },
      { name: 'nobody: each is accepted', bad: [] as string[], refused: undefined, maxTrials: 2 },
    ];
    test.each(rows)('$name', async ({ bad, refused, maxTrials }) => {
      let trials = 0;
      const accepts = (some: readonly string[]): Promise<boolean> => {
        trials += 1;
        return Promise.resolve(!some.some((key) => bad.includes(key)));
      };
      expect((await findRefused([keys], accepts))?.refused).toEqual(refused);
      expect(trials).toBeLessThanOrEqual(maxTrials);
    });

    test('where not even an empty transaction is accepted, no Service is to blame, and none is tried', async () => {
      let trials = 0;
      const accepts = (): Promise<boolean> => {
        trials += 1;
        return Promise.resolve(false);
      };
      expect(await findRefused([keys], accepts)).toBeUndefined();
      expect(trials).toBe(1);
    });

    test('where everything alone is refused, that is no matter of objects', async () => {
      expect(await findRefused([keys], (some) => Promise.resolve(some.length === 0))).toBeUndefined();
    });
  });

  describe.each(['nft', 'legacy'] as const)('a refused Service, iptables %s', (variant) => {
    const obstacle = obstacles[variant];
    if (obstacle !== undefined) {
      test.skip(`the real kernel: ${obstacle}`, () => {});
      return;
    }
    let node: Pick<Network, 'runOnNode' | 'close'>;
    let backend: Backend;
    const refused = new Set<string>();
    const config = { iptables: { backend: variant === 'nft' ? ('Nft' as const) : ('Legacy' as const) } };

    beforeEach(() => {
      node = createEmptyNode();
      refused.clear();
      const run: RunCommand = (command) => {
        const input = command.input === undefined ? undefined : [...command.input];
        if (input !== undefined && [...refused].some((text) => input.join('').includes(text)))
          throw new CommandError('Failed', 'refused', { exitCode: 1, stderr: 'secret' });
        return node.runOnNode({ ...command, ...(input && { input }) });
      };
      backend = createBackend('iptables', 'ipv4', { run: async (command) => run(command) });
    });
    afterEach(() => node.close());

    async function chains(): Promise<string> {
      let text = '';
      await node.runOnNode({
        file: `/usr/sbin/iptables-${variant}-save`,
        args: [],
        onLine: (line) => (text += `${line}\n`),
        timeoutMs: 10_000,
      });
      return text;
    }

    function sync(
      manifests: readonly ServiceManifest[],
      changed: ReadonlySet<string> | 'all' = 'all',
      more: Partial<NodeConfig> = {},
    ): ReturnType<Backend['sync']> {
      return backend.sync({ state: state(manifests, { ...config, ...more }), changed, signal });
    }

    test('is left out of a full sync and named; all the others are programmed, and the next full sync tries it again', async () => {
      refused.add(isThere(3)).add(isThere(6));
      const result = await sync(manyServices(9));
      expect(result).toMatchObject({ full: true, services: 7, quarantined: [quarantined(3), quarantined(6)] });
      const rules = await chains();
      for (const index of [0, 1, 2, 4, 5, 7, 8]) expect(rules).toContain(isThere(index));
      expect(rules).not.toContain(isThere(3));
      expect(rules).not.toContain('KUBE-PROXY-TRIAL');
      expect(await backend.findDrift(signal)).toBeUndefined();
      refused.clear();
      expect(await sync(manyServices(9))).toMatchObject({ services: 9, quarantined: [] });
      expect(await chains()).toContain(isThere(3));
    });

    test('that changes so is taken out in the same sync; it stays out while others change, and comes back when it changes', async () => {
      await sync(manyServices(5));
      refused.add(isThere(9));
      const more = [...manyServices(5), plainService(9), plainService(10)];
      expect(await sync(more, keysOf([plainService(9), plainService(10)]))).toMatchObject({
        services: 6,
        quarantined: [quarantined(9)],
      });
      expect(await chains()).toContain(isThere(10));
      expect(await sync(more.slice(1), keysOf(more.slice(0, 1)))).toMatchObject({
        full: false,
        services: 5,
        quarantined: [quarantined(9)],
      });
      expect(await chains()).not.toContain(isThere(0));
      refused.clear();
      expect(await sync(more, keysOf([plainService(9), plainService(0)]))).toMatchObject({
        full: false,
        services: 7,
        quarantined: [],
      });
      expect(await chains()).toContain(isThere(9));
    });

    test('where the rules of every Service are refused, none is left out and the rules that stand stay', async () => {
      await sync(manyServices(4));
      for (let index = 0; index < 4; index += 1) refused.add(isThere(index));
      await expect(sync(manyServices(4), 'all', { masquerade: { bit: 14, all: true } })).rejects.toMatchObject({
        reason: 'ToolFailed',
      });
      const after = await chains();
      for (let index = 0; index < 4; index += 1) expect(after).toContain(isThere(index));
      expect(after.match(/-j DNAT/g)).toHaveLength(12);
    });

    test('a tool that refuses everything quarantines nobody', async () => {
      refused.add('*nat');
      await expect(sync(manyServices(3))).rejects.toMatchObject({ reason: 'ToolFailed', tool: 'iptables-restore' });
    });
  });
});
