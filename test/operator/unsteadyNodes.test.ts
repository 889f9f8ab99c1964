/**
 * Nodes that come and go, on the simulated cluster: they hold up no other node, prove nothing, and are changed within
 * the budget, as rolloutInvariants.ts checks for each write.
 */
import { describe, expect, test } from '@jest/globals';
import { SimulatedCluster, type Spec } from './simulatedCluster.ts';
import { comeAndGo, flip } from './unsteadyNodes.ts';

const masquerade = (bit: number): Spec => ({ masquerade: { bit, all: false } });
const canary: Spec['rollout'] = { maxUnavailable: 1, steps: [{ setNodes: 1 }, { pause: {} }] };

/** Of so many nodes, all on bit 14; `rollout` is for the next revision. */
function clusterOf(count: number, rollout: Spec['rollout'] = { maxUnavailable: 1 }): SimulatedCluster {
  const cluster = new SimulatedCluster(count, masquerade(14));
  cluster.run(120);
  expect(cluster.state).toBe('Complete');
  cluster.changeSpec({ rollout });
  return cluster;
}

const running = (cluster: SimulatedCluster, bit: number): number =>
  cluster.running().filter((each) => each === bit).length;

describe('a rollout with nodes that come and go', () => {
  test('whose Ready flips every two minutes: the others are changed as if it were not there', () => {
    const cluster = clusterOf(10);
    flip(cluster, 0, 6, 120);
    cluster.setDown(0, true);
    cluster.changeSpec(masquerade(15));
    cluster.run(9 * 60);
    expect({ state: cluster.state, changed: running(cluster, 15) }).toEqual({ state: 'Complete', changed: 10 });
  });

  test('whose Ready begins to flip with the rollout: that completes within the deadline and what it takes itself', () => {
    const cluster = clusterOf(10);
    cluster.changeSpec(masquerade(15));
    flip(cluster, 0, 5, 120);
    expect({ state: cluster.state, changed: running(cluster, 15) }).toEqual({ state: 'Complete', changed: 10 });
  });

  test('that gets its change and never says what became of it: the others go on, and nothing goes back', () => {
    const cluster = clusterOf(6);
    flip(cluster, 0, 6, 120);
    cluster.changeSpec(masquerade(15), { bad: [], hanging: [0] });
    flip(cluster, 0, 10, 120);
    expect({ state: cluster.state, changed: running(cluster, 15) }).toEqual({ state: 'Complete', changed: 6 });
    cluster.changeSpec(masquerade(16), { bad: [], hanging: [0] });
    flip(cluster, 0, 10, 120);
    expect({ state: cluster.state, changed: running(cluster, 16) }).toEqual({ state: 'Complete', changed: 6 });
  });

  test('many of them are changed one after the other, within the budget', () => {
    const cluster = clusterOf(6);
    for (const index of [0, 1, 2, 3]) flip(cluster, index, 1, 60);
    for (let time = 0; time < 3; time += 1) for (const index of [0, 1, 2, 3]) flip(cluster, index, 1, 60);
    cluster.changeSpec(masquerade(15));
    for (let time = 0; time < 4; time += 1) for (const index of [0, 1, 2, 3]) flip(cluster, index, 1, 60);
    expect({ state: cluster.state, changed: running(cluster, 15) }).toEqual({ state: 'Complete', changed: 6 });
  });

  test('a step is taken by a node that stays', () => {
    const cluster = clusterOf(3, canary);
    flip(cluster, 0, 6, 120);
    cluster.changeSpec(masquerade(15));
    cluster.run(120);
    expect(cluster.running()).toEqual([14, 15, 14]);
    expect(cluster.config().status?.rollout?.step).toBe('2/2');
  });

  test('a node that has just come takes no step that one can take which was there', () => {
    const cluster = clusterOf(2, canary);
    cluster.setDown(0, true);
    cluster.run(60);
    cluster.setDown(0, false);
    cluster.changeSpec(masquerade(15));
    cluster.run(120);
    expect(cluster.running()).toEqual([14, 15]);
  });

  test('a step waits for a node in reach, whatever it said before it went away', () => {
    const cluster = clusterOf(3, canary);
    cluster.changeSpec(masquerade(15));
    for (const _write of ['revision', 'status', 'NodeProxies']) cluster.reconcile();
    cluster.agentsReport();
    expect(cluster.running()).toEqual([15, 14, 14]);
    cluster.setDown(0, true);
    cluster.run(300);
    expect(cluster.config().status?.rollout?.step).toBe('1/2');
    cluster.setDown(0, false);
    cluster.run(60);
    expect(cluster.config().status?.rollout?.step).toBe('2/2');
  });

  test('where the node of a step is away for long, another takes its place', () => {
    const cluster = clusterOf(3, canary);
    cluster.changeSpec(masquerade(15));
    for (const _write of ['revision', 'status', 'NodeProxies']) cluster.reconcile();
    cluster.setDown(0, true);
    cluster.run(540);
    expect(cluster.running()).toEqual([15, 14, 14]);
    cluster.run(180);
    expect(cluster.running()).toEqual([15, 15, 14]);
    expect(cluster.config().status?.rollout?.step).toBe('2/2');
  });

  test('a step waits where all come and go', () => {
    const cluster = clusterOf(1, canary);
    flip(cluster, 0, 6, 120);
    cluster.changeSpec(masquerade(15));
    flip(cluster, 0, 3, 120);
    expect(cluster.config().status?.rollout?.step).toBe('1/2');
    cluster.run(700);
    expect({ state: cluster.state, changed: running(cluster, 15) }).toEqual({ state: 'Complete', changed: 1 });
  });

  test.each([10, 60])('a node that is there for %i s, and then another: the rollout completes', (seconds) => {
    const cluster = clusterOf(10);
    cluster.changeSpec(masquerade(15));
    comeAndGo(cluster, 900 / seconds, seconds);
    cluster.reconcile();
    expect({ state: cluster.state, changed: running(cluster, 15) }).toEqual({ state: 'Complete', changed: 10 });
  });
});
