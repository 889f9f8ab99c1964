/**
 * The states that a rollout goes through, and what nodes run meanwhile, on the simulated cluster.
 */
import { describe, expect, test } from '@jest/globals';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { SimulatedCluster } from './simulatedCluster.ts';

/** All nodes run the first configuration. */
function started(nodes: number): SimulatedCluster {
  const cluster = new SimulatedCluster(nodes, { masquerade: { bit: 14, all: false } });
  cluster.run(120);
  expect(cluster.state).toBe('Complete');
  return cluster;
}

/** Writes the revision, then the status, then NodeProxies. */
function reconcileThrice(cluster: SimulatedCluster): void {
  for (const _time of [1, 2, 3]) cluster.reconcile();
}

describe('nextRollout, the course of a rollout', () => {
  type Rows = {
    name: string;
    nodes: number;
    rollout?: Partial<ProxyConfig['spec']['rollout']>;
    bad?: number[];
    hanging?: number[];
    down?: number[];
    after: number;
    state: string;
    changed: number;
  }[];
  const rows: Rows = [
    { name: 'one at a time', nodes: 4, rollout: { maxUnavailable: 1 }, after: 0, state: 'Progressing', changed: 1 },
    {
      name: 'as many at a time as may be unavailable',
      nodes: 4,
      rollout: { maxUnavailable: '26%' },
      after: 0,
      state: 'Progressing',
      changed: 2,
    },
    {
      name: 'the next one only after minReadySeconds',
      nodes: 4,
      rollout: { maxUnavailable: 1, minReadySeconds: 300 },
      after: 200,
      state: 'Progressing',
      changed: 1,
    },
    { name: 'to the end', nodes: 4, rollout: { maxUnavailable: 1 }, after: 600, state: 'Complete', changed: 4 },
    {
      name: 'a canary that fails takes everything back',
      nodes: 4,
      rollout: { maxUnavailable: 1 },
      bad: [0],
      after: 600,
      state: 'RolledBack',
      changed: 0,
    },
    {
      name: 'a canary that hangs does, too, once the deadline is over',
      nodes: 4,
      rollout: { maxUnavailable: 1, progressDeadlineSeconds: 60 },
      hanging: [0],
      after: 900,
      state: 'RolledBack',
      changed: 0,
    },
    {
      name: 'a canary that hangs is not given up before the deadline',
      nodes: 4,
      rollout: { maxUnavailable: 1, progressDeadlineSeconds: 600 },
      hanging: [0],
      after: 400,
      state: 'Progressing',
      changed: 1,
    },
    {
      name: 'onFailure Pause stops where it is',
      nodes: 4,
      rollout: { maxUnavailable: 1, onFailure: 'Pause' },
      bad: [1],
      after: 600,
      state: 'Failed',
      changed: 2,
    },
    {
      name: 'onFailure Continue goes on',
      nodes: 4,
      rollout: { maxUnavailable: 2, onFailure: 'Continue' },
      bad: [1],
      after: 600,
      state: 'Complete',
      changed: 4,
    },
    {
      name: 'fewer failures than maxFailures are passed over',
      nodes: 4,
      rollout: { maxUnavailable: 2, maxFailures: 2 },
      bad: [0],
      after: 300,
      state: 'Progressing',
      changed: 4,
    },
    {
      name: 'a step of one node, then a pause that a person ends',
      nodes: 4,
      rollout: { steps: [{ setNodes: 1 }, { pause: {} }] },
      after: 9000,
      state: 'Paused',
      changed: 1,
    },
    {
      name: 'a pause that ends by itself',
      nodes: 4,
      rollout: { steps: [{ setNodes: 1 }, { pause: { seconds: 600 } }] },
      after: 3000,
      state: 'Complete',
      changed: 4,
    },
    {
      name: 'a pause does not end before its seconds are over',
      nodes: 4,
      rollout: { steps: [{ setNodes: 1 }, { pause: { seconds: 600 } }] },
      after: 500,
      state: 'Paused',
      changed: 1,
    },
    {
      name: 'a pause also holds for nodes that have long been out of reach',
      nodes: 2,
      rollout: { steps: [{ setNodes: 1 }, { pause: {} }] },
      down: [1],
      after: 9000,
      state: 'Paused',
      changed: 1,
    },
    {
      name: 'a node out of reach takes its share of the budget',
      nodes: 4,
      rollout: { maxUnavailable: 1 },
      down: [3],
      after: 300,
      state: 'Progressing',
      changed: 0,
    },
    {
      name: 'but not for ever',
      nodes: 4,
      rollout: { maxUnavailable: 1 },
      down: [3],
      after: 3000,
      state: 'Complete',
      changed: 4,
    },
  ];
  test.each(rows)(
    '$name',
    ({ nodes, rollout = {}, bad = [], hanging = [], down = [], after, state, changed: count }) => {
      const cluster = started(nodes);
      for (const index of down) cluster.setDown(index, true);
      cluster.changeSpec(
        { masquerade: { bit: 15, all: false }, rollout: { minReadySeconds: 0, ...rollout } },
        { bad, hanging },
      );
      reconcileThrice(cluster);
      cluster.run(after);
      expect({ state: cluster.state, changed: cluster.running().filter((bit) => bit === 15).length }).toEqual({
        state,
        changed: count,
      });
    },
  );

  test('a ProxyConfig and all NodeProxies that were made anew with a change: nodes take it within the budget', () => {
    const cluster = started(4);
    for (const index of [0, 1, 2, 3]) cluster.deleteNodeProxy(index);
    cluster.makeConfigAnew('all', {
      masquerade: { bit: 15, all: false },
      rollout: { minReadySeconds: 0, maxUnavailable: 1 },
    });
    reconcileThrice(cluster);
    expect(cluster.running()).toEqual([15, 14, 14, 14]);
    cluster.run(600);
    expect({ state: cluster.state, running: cluster.running() }).toEqual({
      state: 'Complete',
      running: [15, 15, 15, 15],
    });
  });

  test('a ProxyConfig made anew whose first rollout fails: nodes without a NodeProxy get what was completed before, at once', () => {
    const cluster = started(4);
    const rollout = { maxUnavailable: 1 } as const;
    cluster.makeConfigAnew('all', { rollout });
    cluster.changeSpec({ masquerade: { bit: 15, all: false }, rollout }, { bad: [0, 1, 2, 3, 4], hanging: [] });
    cluster.run(600);
    expect({ state: cluster.state, running: cluster.running() }).toEqual({
      state: 'Failed',
      running: [15, 14, 14, 14],
    });
    cluster.deleteNodeProxy(2);
    cluster.addNode();
    reconcileThrice(cluster);
    expect({ known: cluster.nodeProxies.size, running: cluster.running() }).toEqual({
      known: 5,
      running: [15, 14, 14, 14, 14],
    });
  });

  test('a node that comes in mid-rollout takes its share of the budget at once: none that serves is changed beside it', () => {
    const cluster = started(2);
    cluster.changeSpec({ masquerade: { bit: 15, all: false }, rollout: { minReadySeconds: 0, maxUnavailable: 1 } });
    cluster.addNode();
    reconcileThrice(cluster);
    expect(cluster.running()).toEqual([14, 14, 15]);
    cluster.run(600);
    expect({ state: cluster.state, running: cluster.running() }).toEqual({ state: 'Complete', running: [15, 15, 15] });
  });

  test('a second change supersedes the first', () => {
    const cluster = started(6);
    cluster.changeSpec({ masquerade: { bit: 15, all: false } });
    cluster.run(30);
    cluster.changeSpec({ masquerade: { bit: 16, all: false } });
    cluster.run(3000);
    expect({ state: cluster.state, running: new Set(cluster.running()) }).toEqual({
      state: 'Complete',
      running: new Set([16]),
    });
    expect(cluster.config().status?.rollout?.previousRevision).not.toBe(undefined);
  });

  test('a rolled-back change is tried again after a change of spec, and not before', () => {
    const cluster = started(3);
    cluster.changeSpec({ masquerade: { bit: 15, all: false } }, { bad: [0], hanging: [] });
    cluster.run(900);
    expect(cluster.state).toBe('RolledBack');
    cluster.restartOperator();
    cluster.setDown(1, true);
    cluster.run(900);
    cluster.setDown(1, false);
    cluster.run(900);
    expect({ state: cluster.state, running: new Set(cluster.running()) }).toEqual({
      state: 'RolledBack',
      running: new Set([14]),
    });
    cluster.changeSpec({ masquerade: { bit: 15, all: false } });
    cluster.run(3000);
    expect({ state: cluster.state, running: new Set(cluster.running()) }).toEqual({
      state: 'Complete',
      running: new Set([15]),
    });
  });

  test('a node that becomes NotReady with the new revision has not failed: nothing is taken back, and all goes on when it returns', () => {
    const cluster = started(4);
    cluster.changeSpec({ masquerade: { bit: 15, all: false }, rollout: { minReadySeconds: 0, maxUnavailable: 1 } });
    reconcileThrice(cluster);
    cluster.setDown(0, true);
    cluster.run(3000);
    expect(cluster.running()[0]).toBe(15);
    expect(cluster.state).not.toMatch(/RollingBack|RolledBack|Failed/);
    cluster.setDown(0, false);
    cluster.run(3000);
    expect({ state: cluster.state, running: new Set(cluster.running()) }).toEqual({
      state: 'Complete',
      running: new Set([15]),
    });
  });

  test('an operator with a clock that is an hour off neither fails a rollout nor changes nodes too early', () => {
    for (const skewMs of [3_600_000, -3_600_000]) {
      const cluster = started(4);
      cluster.changeSpec({ masquerade: { bit: 15, all: false }, rollout: { minReadySeconds: 60, maxUnavailable: 1 } });
      cluster.run(30);
      cluster.restartOperator();
      cluster.now += skewMs;
      cluster.reconcile();
      expect({ state: cluster.state, changed: cluster.running().filter((bit) => bit === 15).length }).toEqual({
        state: 'Progressing',
        changed: 1,
      });
      cluster.run(3000);
      expect(cluster.state).toBe('Complete');
    }
  });
});
