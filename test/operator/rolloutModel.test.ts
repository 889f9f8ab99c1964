/**
 * Random histories of a cluster: whatever people, nodes, agents and crashes do, in any order, what rolloutInvariants.ts
 * checks for each write holds, and once everybody behaves the rollouts come to an end and stay there.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { scaled } from '../support/scale.ts';
import { comeAndGo, flip } from './unsteadyNodes.ts';
import { configNames, SimulatedCluster, type Quality } from './simulatedCluster.ts';

type Action = (cluster: SimulatedCluster) => void;
type RolloutSpec = ProxyConfig['spec']['rollout'];

const someNodes = fc.uniqueArray(fc.nat(7), { maxLength: 3 });
const quality: fc.Arbitrary<Quality> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ bad: [], hanging: [] }) },
  { weight: 3, arbitrary: fc.record({ bad: someNodes, hanging: someNodes }) },
);
const bits = fc.integer({ min: 0, max: 5 });
const anyConfig = fc.constantFrom('all', 'all', 'pool' as const);
const masquerade = (bit: number) => ({ masquerade: { bit, all: false } });

/** Each action can be printed, so that a counterexample reads as a sequence of them. */
function named(name: string, action: Action): Action {
  return Object.assign((cluster: SimulatedCluster) => action(cluster), { [fc.toStringMethod]: () => name });
}

/** With everything that is of these kinds. */
function makeCrdsAnew(cluster: SimulatedCluster, bit: number): void {
  for (let index = 0; index < cluster.nodes.size; index += 1) cluster.deleteNodeProxy(index);
  for (const name of configNames) cluster.makeConfigAnew(name, masquerade(bit));
}

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(named('reconcile', (cluster) => cluster.reconcile())) },
  { weight: 6, arbitrary: fc.constant(named('agents report', (cluster) => cluster.agentsReport())) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(1, 10, 40, 700)
      .map((seconds) => named(`${seconds} s pass`, (cluster) => (cluster.now += seconds * 1000))),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(30, 120)
      .map((seconds) => named(`all is well for ${seconds} s`, (cluster) => cluster.run(seconds))),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(bits, quality, anyConfig)
      .map(([bit, how, name]) =>
        named(`${name} bit ${bit} ${JSON.stringify(how)}`, (cluster) => cluster.changeSpec(masquerade(bit), how, name)),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(7).map((index) => named(`node ${index} down`, (cluster) => cluster.setDown(index, true))),
  },
  {
    weight: 2,
    arbitrary: fc.nat(7).map((index) => named(`node ${index} up`, (cluster) => cluster.setDown(index, false))),
  },
  { weight: 2, arbitrary: fc.nat(7).map((index) => named(`node ${index} flaps`, (cluster) => cluster.flap(index))) },
  {
    weight: 2,
    arbitrary: fc.nat(4).map((writes) =>
      named(`killed after ${writes} writes`, (cluster) => {
        cluster.reconcile(writes);
        cluster.restartOperator();
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.boolean(), anyConfig)
      .map(([paused, name]) =>
        named(`${name} paused ${paused}`, (cluster) => cluster.changeSpec({ paused }, undefined, name)),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(bits, anyConfig)
      .map(([bit, name]) =>
        named(`${name} made anew with bit ${bit}`, (cluster) => cluster.makeConfigAnew(name, masquerade(bit))),
      ),
  },
  {
    weight: 2,
    arbitrary: bits.map((bit) => named(`CRDs made anew with bit ${bit}`, (cluster) => makeCrdsAnew(cluster, bit))),
  },
  {
    weight: 2,
    arbitrary: fc.nat(7).map((index) => named(`node ${index} moved`, (cluster) => cluster.moveNode(index))),
  },
  {
    weight: 1,
    arbitrary: fc
      .nat(7)
      .map((index) => named(`NodeProxy ${index} deleted`, (cluster) => cluster.deleteNodeProxy(index))),
  },
  {
    weight: 1,
    arbitrary: fc.nat(7).map((index) => named(`node ${index} deleted`, (cluster) => cluster.deleteNode(index))),
  },
  { weight: 1, arbitrary: fc.constant(named('node added', (cluster) => cluster.addNode())) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.nat(7), fc.constantFrom(1, 5), fc.constantFrom(20, 100))
      .map(([index, times, seconds]) =>
        named(`node ${index} down and up ${times} times for ${seconds} s`, (cluster) =>
          flip(cluster, index, times, seconds),
        ),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 3), fc.constantFrom(5, 60))
      .map(([times, seconds]) =>
        named(`a node comes for ${seconds} s, ${times} times`, (cluster) => comeAndGo(cluster, times, seconds)),
      ),
  },
);

const rolloutSpec: fc.Arbitrary<Partial<RolloutSpec>> = fc.record({
  maxUnavailable: fc.constantFrom(1, 2, '25%', '100%'),
  minReadySeconds: fc.constantFrom(0, 30),
  progressDeadlineSeconds: fc.constantFrom(60, 600),
  onFailure: fc.constantFrom('Rollback', 'Pause', 'Continue'),
  maxFailures: fc.constantFrom(1, 2, '50%'),
  steps: fc.constantFrom([], [{ setNodes: 1 }], [{ setNodes: 1 }, { pause: { seconds: 60 } }, { setNodes: '50%' }]),
});

const histories = fc.record({
  count: fc.integer({ min: 1, max: 8 }),
  inPool: fc.uniqueArray(fc.nat(7), { maxLength: 3 }),
  rollout: rolloutSpec,
  sequence: fc.array(actions, { maxLength: 60 }),
});

const states = (cluster: SimulatedCluster): string[] => configNames.map((name) => cluster.stateOf(name));

function expectRest(cluster: SimulatedCluster): void {
  for (let index = 0; index < cluster.nodes.size; index += 1) cluster.setDown(index, false);
  for (const name of configNames) cluster.changeSpec({ paused: false }, undefined, name);
  cluster.run(3000);
  const ends = new Set(['Complete', 'RolledBack', 'Failed', 'Idle']);
  expect(states(cluster).filter((state) => !ends.has(state))).toEqual([]);
  const before = { states: states(cluster), writes: cluster.nodeWrites };
  expect(cluster.nodeProxies.size).toBe(cluster.nodes.size);
  cluster.restartOperator();
  cluster.run(700);
  expect({ states: states(cluster), writes: cluster.nodeWrites }).toEqual(before);
}

function expectLastChangeToArrive(cluster: SimulatedCluster): void {
  configNames.forEach((name, index) => cluster.changeSpec(masquerade(20 + index), undefined, name));
  cluster.run(6000);
  const governing = [...cluster.nodes.keys()].map((name) => cluster.governing(name));
  expect(cluster.running()).toEqual(governing.map((name) => 20 + configNames.indexOf(name)));
  for (const name of new Set(governing))
    expect({ name, state: cluster.stateOf(name) }).toEqual({ name, state: 'Complete' });
}

describe('reconcile', () => {
  test('keeps the invariants with every write, whatever happens, and comes to rest in the end', () => {
    fc.assert(
      fc.property(histories, ({ count, inPool, rollout, sequence }) => {
        const cluster = new SimulatedCluster(count, { rollout, ...masquerade(14) });
        for (const index of inPool) cluster.moveNode(index);
        cluster.run(40);
        for (const action of sequence) action(cluster);
        expectRest(cluster);
        expectLastChangeToArrive(cluster);
      }),
      { numRuns: scaled(60, 1500) },
    );
  }, 1_200_000);
});
