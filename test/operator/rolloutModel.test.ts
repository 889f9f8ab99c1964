/**
 * Random lives of a cluster: whatever people, nodes, agents and crashes do, in any order, what simulatedCluster.ts checks after each
 * write holds, and once everybody behaves the rollout comes to an end and stays there.
 */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { ProxyConfig } from '../../src/api/proxyConfig.ts';
import { scaled } from '../scale.ts';
import { SimulatedCluster, type Quality } from './simulatedCluster.ts';

type Deed = (cluster: SimulatedCluster) => void;
type RolloutSpec = ProxyConfig['spec']['rollout'];

const someNodes = fc.uniqueArray(fc.nat(7), { maxLength: 3 });
const quality: fc.Arbitrary<Quality> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ bad: [], hanging: [] }) },
  { weight: 3, arbitrary: fc.record({ bad: someNodes, hanging: someNodes }) },
);
const bits = fc.integer({ min: 0, max: 5 });

/** Each deed can be printed, so that a counterexample reads as a story. */
function named(name: string, deed: Deed): Deed {
  return Object.assign((cluster: SimulatedCluster) => deed(cluster), { [fc.toStringMethod]: () => name });
}

const deeds: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(named('turn', (cluster) => cluster.turn())) },
  { weight: 6, arbitrary: fc.constant(named('agents answer', (cluster) => cluster.agentsAnswer())) },
  { weight: 4, arbitrary: fc.constantFrom(1, 10, 40, 700).map((seconds) => named(`${seconds} s pass`, (cluster) => (cluster.now += seconds * 1000))) },
  { weight: 3, arbitrary: fc.constantFrom(30, 120).map((seconds) => named(`all is well for ${seconds} s`, (cluster) => cluster.run(seconds))) },
  { weight: 3, arbitrary: fc.tuple(bits, quality).map(([bit, how]) => named(`bit ${bit} ${JSON.stringify(how)}`, (cluster) => cluster.changeSpec({ masquerade: { bit, all: false } }, how))) },
  { weight: 2, arbitrary: fc.nat(7).map((index) => named(`node ${index} down`, (cluster) => cluster.setDown(index, true))) },
  { weight: 2, arbitrary: fc.nat(7).map((index) => named(`node ${index} up`, (cluster) => cluster.setDown(index, false))) },
  { weight: 2, arbitrary: fc.nat(7).map((index) => named(`node ${index} flaps`, (cluster) => cluster.flap(index))) },
  { weight: 2, arbitrary: fc.nat(4).map((writes) => named(`killed after ${writes} writes`, (cluster) => { cluster.turn(writes); cluster.restartOperator(); })) },
  { weight: 1, arbitrary: fc.boolean().map((paused) => named(`paused ${paused}`, (cluster) => cluster.changeSpec({ paused }))) },
  { weight: 1, arbitrary: fc.nat(7).map((index) => named(`NodeProxy ${index} deleted`, (cluster) => cluster.deleteNodeProxy(index))) },
  { weight: 1, arbitrary: fc.nat(7).map((index) => named(`node ${index} deleted`, (cluster) => cluster.deleteNode(index))) },
  { weight: 1, arbitrary: fc.constant(named('node added', (cluster) => cluster.addNode())) },
);

const rolloutSpec: fc.Arbitrary<Partial<RolloutSpec>> = fc.record({
  maxUnavailable: fc.constantFrom(1, 2, '25%', '100%'),
  minReadySeconds: fc.constantFrom(0, 30),
  progressDeadlineSeconds: fc.constantFrom(60, 600),
  onFailure: fc.constantFrom('Rollback', 'Pause', 'Continue'),
  maxFailures: fc.constantFrom(1, 2, '50%'),
  steps: fc.constantFrom([], [{ setNodes: 1 }], [{ setNodes: 1 }, { pause: { seconds: 60 } }, { setNodes: '50%' }]),
});

const lives = fc.record({ count: fc.integer({ min: 1, max: 8 }), rollout: rolloutSpec, story: fc.array(deeds, { maxLength: 60 }) });

test('the invariants hold after every write, whatever happens, and in the end there is peace', () => {
  fc.assert(
    fc.property(lives, ({ count, rollout, story }) => {
      const cluster = new SimulatedCluster(count, { rollout, masquerade: { bit: 14, all: false } });
      cluster.run(40);
      for (const deed of story) deed(cluster);
      for (let index = 0; index < cluster.nodes.size; index += 1) cluster.setDown(index, false);
      cluster.changeSpec({ paused: false });
      cluster.run(3000);
      expect(['Complete', 'RolledBack', 'Failed']).toContain(cluster.state);
      const before = { state: cluster.state, writes: cluster.nodeWrites };
      cluster.restartOperator();
      cluster.run(700);
      expect({ state: cluster.state, writes: cluster.nodeWrites }).toEqual(before);
      cluster.changeSpec({ masquerade: { bit: 20, all: false } });
      cluster.run(6000);
      expect({ state: cluster.state, running: new Set(cluster.running()) }).toEqual({ state: 'Complete', running: new Set([20]) });
    }),
    { numRuns: scaled(100, 1500) },
  );
}, 1_200_000);
