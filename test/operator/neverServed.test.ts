/**
 * Nodes on which no agent has ever had anything in force, on the simulated cluster: others go on without them.
 */
import { describe, expect, test } from '@jest/globals';
import { SimulatedCluster } from './simulatedCluster.ts';

describe('a rollout with nodes that never served', () => {
  test('they cost no budget, and the others are changed', () => {
    const cluster = new SimulatedCluster(3, { masquerade: { bit: 14, all: false } });
    cluster.run(120);
    expect(cluster.state).toBe('Complete');
    for (const index of [3, 4]) {
      cluster.addNode();
      cluster.setDown(index, true);
    }
    cluster.reconcile();
    cluster.changeSpec({ masquerade: { bit: 15, all: false }, rollout: { maxUnavailable: 1 } });
    for (const _write of ['revision', 'status', 'NodeProxies']) cluster.reconcile();
    expect(cluster.running()).toEqual([15, 14, 14, 14, 14]);
    cluster.run(400);
    expect(cluster.running().slice(0, 3)).toEqual([15, 15, 15]);
    expect(cluster.config().status?.nodes?.unavailable).toBe(2);
  });

  test('no canary step is passed by them, however long they are away', () => {
    const cluster = new SimulatedCluster(1, { rollout: { steps: [{ setNodes: 1 }, { pause: {} }] } });
    cluster.setDown(0, true);
    cluster.run(3000);
    expect(cluster.config().status?.rollout?.step).toBe('1/2');
    cluster.setDown(0, false);
    cluster.run(60);
    expect(cluster.config().status?.nodes?.ready).toBe(1);
  });

  test('they take no place in a step that others are to take', () => {
    const cluster = new SimulatedCluster(1, {});
    cluster.changeSpec({ masquerade: { bit: 15, all: false } }, { bad: [0], hanging: [] });
    cluster.run(120);
    expect(cluster.state).toBe('Failed');
    cluster.addNode();
    cluster.setDown(1, true);
    cluster.changeSpec({ masquerade: { bit: 16, all: false }, rollout: { steps: [{ setNodes: 1 }, { pause: {} }] } });
    cluster.run(120);
    expect(cluster.running()).toEqual([16, 16]);
    expect(cluster.config().status?.rollout?.step).toBe('2/2');
  });
});
