/**
 * Equal by construction: whatever happens in whatever order, many small syncs leave what one full sync writes.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { ServiceChange } from '../../../src/agent/store.ts';
import { Store } from '../../../src/agent/store.ts';
import type { Backend, SyncResult } from '../../../src/backend/backend.ts';
import { createIptablesBackend } from '../../../src/backend/iptables/apply.ts';
import { decodeEndpointSlice } from '../../../src/model/decodeEndpointSlice.ts';
import { decodeNode } from '../../../src/model/decodeNode.ts';
import { decodeService } from '../../../src/model/decodeService.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import type { NodeRecord } from '../../../src/model/node.ts';
import { scaled } from '../../scale.ts';
import { createEmptyNode, iptablesObstacle } from '../../scenarios/network.ts';
import { defaultConfig } from '../../scenarios/objects.ts';
import type { Event } from './events.ts';
import { crowd, sequences } from './events.ts';
import { FakeKernel } from './fakeKernel.ts';
import { signal } from './services.ts';

/** An agent's store and backend, which hears of events one by one. */
class Life {
  readonly #store = new Store();
  readonly #backend: Backend;
  readonly #config: NodeConfig;
  readonly #family: IPFamily;
  #changed: Set<string> | 'all' = 'all';

  constructor(backend: Backend, config: NodeConfig, family: IPFamily) {
    this.#backend = backend;
    this.#config = config;
    this.#family = family;
    this.#store.setNode(nodeRecord({ name: 'node-1', zone: 'zone-a' }));
    this.#store.listen({ onChange: (change) => this.#note(change), onNodeChange: () => (this.#changed = 'all') });
  }

  hear(event: Event): void {
    if (event.kind === 'service') this.#store.setService(event.key, decodeService(event.object));
    else if (event.kind === 'serviceGone') this.#store.removeService(event.key);
    else if (event.kind === 'slice') this.#store.setSlice(event.key, decodeEndpointSlice(event.object));
    else if (event.kind === 'sliceGone') this.#store.removeSlice(event.key);
    else if (event.kind === 'node') this.#store.setNode(nodeRecord(event));
  }

  sync(): Promise<SyncResult> {
    const changed = this.#changed;
    this.#changed = new Set();
    return this.#backend.sync({ state: this.#store.state(this.#family, this.#store.node as NodeRecord, this.#config), changed, signal });
  }

  #note({ family, service }: ServiceChange): void {
    if (family === this.#family && this.#changed !== 'all') this.#changed.add(service);
  }
}

function nodeRecord({ name, zone }: { readonly name: string; readonly zone: string }): NodeRecord {
  const { record } = decodeNode({
    metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } },
    status: { addresses: ['192.0.2.1', '2001:db8::1'].map((address) => ({ type: 'InternalIP', address })) },
  });
  return record as NodeRecord;
}

interface Places {
  readonly stepwise: () => Backend;
  readonly fresh: () => Backend;
  readonly config?: Partial<NodeConfig>;
  readonly family: IPFamily;
  /** What both find at their start. */
  readonly before: readonly Event[];
}

/** Few Services stand in one chain; beside a crowd, all stand in a tree of chains. */
const neighbourhoods = [
  { name: 'few Services', before: [], hasTree: false },
  { name: 'a tree of Services', before: crowd(140), hasTree: true },
] as const;

/** A life that syncs again and again, and one that hears everything and syncs once, each with its last result. */
async function bothLives(batches: readonly (readonly Event[])[], places: Places): Promise<readonly [SyncResult, SyncResult]> {
  const config = { ...defaultConfig, ...places.config };
  const one = new Life(places.stepwise(), config, places.family);
  for (const event of places.before) one.hear(event);
  let result = await one.sync();
  for (const batch of batches) {
    for (const event of batch) one.hear(event);
    result = await one.sync();
  }
  const other = new Life(places.fresh(), config, places.family);
  // A list comes in any order, and with each object in its last form.
  for (const event of lastForms([...places.before, ...batches.flat()])) other.hear(event);
  return [result, await other.sync()];
}

function lastForms(events: readonly Event[]): readonly Event[] {
  return [...new Map(events.map((event) => [`${event.kind.replace('Gone', '')} ${'key' in event ? event.key : ''}`, event])).values()].toReversed();
}

function summaryOf({ services, endpoints, rulesHash, rulesByTable }: SyncResult): unknown {
  return { services, endpoints, rulesHash, rulesByTable };
}

const plans = neighbourhoods.flatMap((neighbourhood) => (['ipv4', 'ipv6'] as const).map((family) => Object.assign({ family }, neighbourhood)));

test.each(plans)('the incremental plan is the fresh plan: $name, $family', async ({ family, before, hasTree }) => {
  const held = { incremental: 0, full: 0 };
  await fc.assert(
    fc.asyncProperty(sequences, async (batches) => {
      const kernels = [new FakeKernel(), new FakeKernel()] as const;
      const places = { stepwise: () => createIptablesBackend(family, kernels[0].host), fresh: () => createIptablesBackend(family, kernels[1].host), family, before };
      const [last, fresh] = await bothLives(batches, places);
      held[last.full ? 'full' : 'incremental'] += 1;
      expect(kernels[0].state).toEqual(kernels[1].state);
      expect(summaryOf(last)).toEqual(summaryOf(fresh));
      expect(Object.keys(kernels[0].state).some((chain) => chain.startsWith('nat KUBE-SB-'))).toBe(hasTree);
    }),
    { numRuns: hasTree ? scaled(12, 500) : scaled(120, 2000) },
  );
  // Otherwise this compared full syncs with full syncs.
  expect(held.incremental).toBeGreaterThan(held.full);
}, 900_000);

const kernels = neighbourhoods.flatMap((neighbourhood) => (['Nft', 'Legacy'] as const).map((variant) => Object.assign({ variant }, neighbourhood)));
const obstacles = { Nft: await iptablesObstacle('nft'), Legacy: await iptablesObstacle('legacy') };

describe.each(kernels)('the kernel, iptables $variant, $name', ({ variant, before, hasTree }) => {
  const obstacle = obstacles[variant];
  if (obstacle !== undefined) {
    test.skip(`the real kernel: ${obstacle}`, () => {});
    return;
  }
  test('holds after many syncs what it holds after one', async () => {
    await fc.assert(fc.asyncProperty(sequences, (batches) => expectEqualKernels(batches, before, variant)), { numRuns: hasTree ? scaled(1, 50) : scaled(3, 100) });
  }, 900_000);
});

async function expectEqualKernels(batches: readonly (readonly Event[])[], before: readonly Event[], variant: 'Nft' | 'Legacy'): Promise<void> {
  const nodes = [createEmptyNode(), createEmptyNode()] as const;
  const backendOn = (node: (typeof nodes)[number]): Backend => createIptablesBackend('ipv4', { run: node.runOnNode });
  const save = async (node: (typeof nodes)[number]): Promise<readonly string[]> => {
    const text = await node.runOnNode({ file: `/usr/sbin/iptables-${variant.toLowerCase()}-save`, args: [], timeoutMs: 10_000 });
    // Comments hold the time; chains stand in the order in which they were made.
    const lines = text.split('\n').filter((line) => !line.startsWith('#')).map((line) => line.replace(/ \[\d+:\d+\]$/, ''));
    return [...lines.filter((line) => line.startsWith(':')).sort(), ...rulesByChain(lines)];
  };
  try {
    await bothLives(batches, { stepwise: () => backendOn(nodes[0]), fresh: () => backendOn(nodes[1]), config: { iptables: { backend: variant } }, family: 'ipv4', before });
    const [stepwise, fresh] = await Promise.all(nodes.map(save));
    expect(stepwise).toEqual(fresh);
  } finally {
    await Promise.all(nodes.map((node) => node.close()));
  }
}

/** Rules in their order within a chain; chains sorted. Names of chains of ours are different in each table but for the hooks. */
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
