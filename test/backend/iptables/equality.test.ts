/**
 * Equal by construction: whatever happens in whatever order, many small syncs leave what one full sync writes.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { SyncResult } from '../../../src/backend/backend.ts';
import { ipFamilies } from '../../../src/model/ipFamily.ts';
import { scaled } from '../../support/scale.ts';
import { createEmptyNode, iptablesObstacle } from '../../support/network.ts';
import type { Event } from './events.ts';
import { allRanges, crowd, sequences } from './events.ts';
import { FakeKernel } from './fakeKernel.ts';
import { bothLives } from './life.ts';

/** Few Services stand in one chain; beside a crowd, all stand in a tree of chains. */
const neighbourhoods = [
  { name: 'few Services', before: [allRanges], hasTree: false },
  { name: 'a tree of Services', before: [allRanges, ...crowd(140)], hasTree: true },
] as const;

function summaryOf({ services, endpoints, rulesHash, rulesByTable }: SyncResult): unknown {
  return { services, endpoints, rulesHash, rulesByTable };
}

const plans = neighbourhoods.flatMap((neighbourhood) =>
  ipFamilies.map((family) => Object.assign({ family }, neighbourhood)),
);

const kernels = plans.flatMap((plan) =>
  (['Nft', 'Legacy'] as const).map((variant) => Object.assign({ variant }, plan)),
);
type Kernel = (typeof kernels)[number];
const obstacles = { Nft: await iptablesObstacle('nft'), Legacy: await iptablesObstacle('legacy') };

describe('IptablesBackend', () => {
  test.each(plans)(
    'the incremental plan is the fresh plan: $name, $family',
    async ({ family, before, hasTree }) => {
      const held = { incremental: 0, full: 0 };
      await fc.assert(
        fc.asyncProperty(sequences, async (batches) => {
          const fakes = [new FakeKernel(family), new FakeKernel(family)] as const;
          const [last, fresh] = await bothLives(batches, {
            stepwise: fakes[0].host,
            fresh: fakes[1].host,
            family,
            before,
          });
          held[last.full ? 'full' : 'incremental'] += 1;
          expect(fakes[0].state).toEqual(fakes[1].state);
          expect(summaryOf(last)).toEqual(summaryOf(fresh));
          expect(Object.keys(fakes[0].state).some((chain) => chain.startsWith('nat KUBE-SB-'))).toBe(hasTree);
        }),
        { numRuns: hasTree ? scaled(12, 500) : scaled(120, 2000) },
      );
      // Otherwise this compared full syncs with full syncs.
      expect(held.incremental).toBeGreaterThan(held.full);
    },
    900_000,
  );

  describe.each(kernels)('the kernel, iptables $variant, $name, $family', (kernel) => {
    const obstacle = obstacles[kernel.variant];
    if (obstacle !== undefined) {
      test.skip(`the real kernel: ${obstacle}`, () => {});
      return;
    }
    test('holds after many syncs what it holds after one', async () => {
      await fc.assert(
        fc.asyncProperty(sequences, (batches) => expectEqualKernels(batches, kernel)),
        { numRuns: kernel.hasTree ? scaled(1, 25) : scaled(2, 50) },
      );
    }, 900_000);
  });
});

async function expectEqualKernels(
  batches: readonly (readonly Event[])[],
  { before, family, variant }: Kernel,
): Promise<void> {
  const nodes = [createEmptyNode(), createEmptyNode()] as const;
  const save = async (node: (typeof nodes)[number]): Promise<readonly string[]> => {
    const tool = `${family === 'ipv4' ? 'iptables' : 'ip6tables'}-${variant.toLowerCase()}-save`;
    const text = await node.runOnNode({ file: `/usr/sbin/${tool}`, args: [], timeoutMs: 10_000 });
    // Comments hold the time; chains stand in the order in which they were made.
    const lines = text
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.replace(/ \[\d+:\d+\]$/, ''));
    return [...lines.filter((line) => line.startsWith(':')).sort(), ...rulesByChain(lines)];
  };
  try {
    await bothLives(batches, {
      stepwise: { run: nodes[0].runOnNode },
      fresh: { run: nodes[1].runOnNode },
      config: { iptables: { backend: variant } },
      family,
      before,
    });
    const [stepwise, fresh] = await Promise.all(nodes.map(save));
    expect(stepwise).toEqual(fresh);
  } finally {
    await Promise.all(nodes.map((node) => node.close()));
  }
}

/**
 * Rules in their order within a chain; chains sorted. Names of chains of ours are different in each table but for the
 * hooks.
 */
function rulesByChain(lines: readonly string[]): readonly string[] {
  let table = '';
  const chains = new Map<string, string[]>();
  for (const line of lines) {
    if (line.startsWith('*')) table = line;
    if (!line.startsWith('-A ')) continue;
    const chain = `${table} ${line.split(' ')[1]}`;
    chains.set(chain, [...(chains.get(chain) ?? []), `${table} ${line}`]);
  }
  return [...chains].sort(([one], [other]) => (one < other ? -1 : 1)).flatMap(([, rules]) => rules);
}
