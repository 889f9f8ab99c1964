import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import type { ClusterView, KnownNode } from '../../src/operator/watch/clusterView.ts';
import { reconcile } from '../../src/operator/reconcile.ts';
import { resolveTargets } from '../../src/operator/rollout/resolve.ts';
import { clock, node, proxyConfig } from './objects.ts';

const pools = ['web', 'db', 'edge'];
const byName = <Item>(items: readonly Item[], nameOf: (item: Item) => string): Map<string, Item> =>
  new Map(items.map((item) => [nameOf(item), item]));

const anyNodes: fc.Arbitrary<KnownNode[]> = fc
  .array(fc.record({ pool: fc.constantFrom(...pools), os: fc.constantFrom('linux', 'linux', 'windows') }), {
    maxLength: 8,
  })
  .map((traits) => traits.map(({ pool, os }, index) => node(`node-${index}`, { pool, 'kubernetes.io/os': os })));

const anyConfigs: fc.Arbitrary<ProxyConfig[]> = fc
  .array(
    fc.record({
      pool: fc.option(fc.constantFrom(...pools)),
      priority: fc.integer({ min: 0, max: 2 }),
      day: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 6 },
  )
  .map((traits) =>
    traits.map(({ pool, priority, day }, index) =>
      proxyConfig(`config-${index}`, {
        priority,
        createdAt: `2025-01-0${day}T00:00:00Z`,
        ...(pool === null ? {} : { nodeSelector: { matchLabels: { pool } } }),
      }),
    ),
  );

function viewOf(nodes: readonly KnownNode[], configs: readonly ProxyConfig[]): ClusterView {
  return {
    nodes: byName(nodes, ({ name }) => name),
    configs: byName(configs, ({ metadata }) => metadata.name),
    nodeProxies: new Map(),
    lostNodeProxies: new Map(),
    revisions: new Map(),
    readyAgents: new Set(),
    unreadyAgents: new Set(),
  };
}

/** Straight from the words of the documentation: higher priority, then older, then the name. */
function beats(one: ProxyConfig, other: ProxyConfig): boolean {
  if (one.spec.priority !== other.spec.priority) return one.spec.priority > other.spec.priority;
  const [born = 0, otherBorn = 0] = [one, other].map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ''));
  return born === otherBorn ? one.metadata.name < other.metadata.name : born < otherBorn;
}

function unbeaten({ labels }: KnownNode, configs: readonly ProxyConfig[]): string[] {
  if (labels['kubernetes.io/os'] !== 'linux') return [];
  const matching = configs.filter(({ spec: { nodeSelector } }) =>
    [undefined, labels['pool']].includes(nodeSelector?.matchLabels?.['pool']),
  );
  return matching
    .filter((config) => !matching.some((other) => beats(other, config)))
    .map(({ metadata }) => metadata.name);
}

describe('resolveTargets', () => {
  test('whatever the ProxyConfigs and the order in which they were observed, each node is governed by the one that nobody beats', () => {
    const inAnyOrder = anyConfigs.chain((configs) => fc.shuffledSubarray(configs, { minLength: configs.length }));
    fc.assert(
      fc.property(anyNodes, inAnyOrder, (nodes, configs) => {
        const targets = resolveTargets(viewOf(nodes, configs));
        for (const known of nodes) {
          const governing = targets.filter((target) => target.nodes.some(({ name }) => name === known.name));
          expect(governing.map(({ config }) => config.metadata.name)).toEqual(unbeaten(known, configs));
        }
      }),
    );
  });

  test('the order in which objects were observed changes nothing that is written', () => {
    const inAnyOrder = fc
      .tuple(anyNodes, anyConfigs)
      .chain(([nodes, configs]) =>
        fc.tuple(
          fc.constant({ nodes, configs }),
          fc.shuffledSubarray(nodes, { minLength: nodes.length }),
          fc.shuffledSubarray(configs, { minLength: configs.length }),
        ),
      );
    fc.assert(
      fc.property(inAnyOrder, ([{ nodes, configs }, otherNodes, otherConfigs]) => {
        expect(reconcile(viewOf(otherNodes, otherConfigs), clock)).toEqual(reconcile(viewOf(nodes, configs), clock));
      }),
    );
  });

  test('a ProxyConfig that is being deleted governs nothing', () => {
    const leaving = proxyConfig('leaving', { priority: 9 });
    leaving.metadata.deletionTimestamp = '2025-06-01T00:00:00Z';
    const [target, ...others] = resolveTargets(viewOf([node('a')], [leaving, proxyConfig('staying')]));
    expect(others).toEqual([]);
    expect(target).toMatchObject({ config: { metadata: { name: 'staying' } }, matched: 1, nodes: [{ name: 'a' }] });
  });

  test.each([
    { name: 'same priority', priorities: [0, 0], lostTo: ['first'] },
    { name: 'overridden by a higher priority', priorities: [1, 0], lostTo: [] },
  ])('a ProxyConfig knows who won its nodes from it: $name', ({ priorities: [first = 0, second = 0], lostTo }) => {
    const configs = [
      proxyConfig('first', { priority: first }),
      proxyConfig('second', { priority: second, createdAt: '2025-02-01T00:00:00Z' }),
    ];
    const targets = resolveTargets(viewOf([node('a')], configs));
    expect(
      targets.map(({ config, lostTo: lost, nodes, matched }) => ({
        name: config.metadata.name,
        lost,
        nodes: nodes.length,
        matched,
      })),
    ).toEqual([
      { name: 'first', lost: [], nodes: 1, matched: 1 },
      { name: 'second', lost: lostTo, nodes: 0, matched: 1 },
    ]);
  });
});
