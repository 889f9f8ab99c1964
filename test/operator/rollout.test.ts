import { describe, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { outcomesOf } from '../../src/operator/nodeOutcome.ts';
import { resolveTargets, type Target } from '../../src/operator/resolve.ts';
import { historyOf, revisionWrites } from '../../src/operator/revisions.ts';
import { nodesToAssign } from '../../src/operator/rollout.ts';
import { statusEvents } from '../../src/operator/rolloutEvents.ts';
import { portion, situationOf, type Rollout } from '../../src/operator/rolloutState.ts';
import { nodeWrite } from '../../src/operator/writeNodes.ts';
import { clock, node, now, proxyConfig, reported, type Report } from './objects.ts';
import { SimulatedCluster } from './simulatedCluster.ts';

const here = node('a');
type Traits = Parameters<typeof proxyConfig>[1];

function targetOf(traits: Traits = {}, name = 'all'): Target {
  const [target] = resolveTargets({
    nodes: new Map([['a', here]]),
    configs: new Map([[name, proxyConfig(name, traits)]]),
  });
  if (!target) throw new Error('no target');
  return target;
}

/** What is told to node `a` in a rollout that has come to this state. */
function assigned(target: Target, live: NodeProxy | undefined, rollout: Partial<Rollout> = {}): string[] {
  const nodeProxies = new Map(live ? [['a', live]] : []);
  const view = { nodeProxies, lostNodeProxies: new Map(), readyAgents: new Set(['a']) };
  const situation = situationOf({ target, outcomes: outcomesOf(target, view, clock), clock, hasRevision: () => true });
  return nodesToAssign(situation, { revision: target.revision, state: 'Progressing', ...rollout }).map(({ revision }) =>
    revision === target.revision ? 'target' : revision,
  );
}

const before = targetOf();
const present = reported(here, before, 'applied');
const ofOldNode: NodeProxy = {
  ...present,
  metadata: {
    ...present.metadata,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'uid-of-a-before' }],
  },
};
const changed: Traits = { generation: 2, masquerade: { bit: 15, all: false } };
const previousRevision = before.revision;

describe('what a node is told', () => {
  interface Row {
    readonly name: string;
    readonly live?: NodeProxy;
    readonly target: Target;
    readonly rollout?: Partial<Rollout>;
    readonly tells: readonly string[];
  }
  const rows: Row[] = [
    { name: 'a new node, the first configuration of all', target: before, tells: ['target'] },
    {
      name: 'a new node in mid-rollout gets what was completed last',
      target: targetOf(changed),
      rollout: { previousRevision },
      tells: [previousRevision],
    },
    {
      name: 'a new node while paused gets it, too',
      target: targetOf({ ...changed, paused: true }),
      rollout: { previousRevision, state: 'Paused' },
      tells: [previousRevision],
    },
    {
      name: 'a new node while paused before anything was completed',
      target: targetOf({ paused: true }),
      rollout: { state: 'Paused' },
      tells: [],
    },
    {
      name: 'a new node after a rollback',
      target: targetOf(changed),
      rollout: { previousRevision, state: 'RolledBack' },
      tells: [previousRevision],
    },
    { name: 'a node that has it', live: present, target: before, tells: [] },
    {
      name: 'a node that was told and has not answered',
      live: reported(here, before, 'assigned'),
      target: before,
      tells: [],
    },
    { name: 'a node that refused it', live: reported(here, before, 'refused'), target: before, tells: [] },
    {
      name: 'a changed setting for nodes',
      live: present,
      target: targetOf(changed),
      rollout: { previousRevision },
      tells: ['target'],
    },
    {
      name: 'a changed setting that is no business of nodes',
      live: present,
      target: targetOf({ generation: 2, priority: 9 }),
      tells: [],
    },
    {
      name: 'another ProxyConfig with the same settings',
      live: present,
      target: targetOf({}, 'other'),
      tells: ['target'],
    },
    {
      name: 'a change while paused',
      live: present,
      target: targetOf({ ...changed, paused: true }),
      rollout: { previousRevision, state: 'Paused' },
      tells: [],
    },
    { name: 'a node that was made anew under its name', live: ofOldNode, target: before, tells: ['target'] },
    {
      name: 'a change that was rolled back',
      live: present,
      target: targetOf(changed),
      rollout: { previousRevision, state: 'RolledBack' },
      tells: [],
    },
    {
      name: 'a change that has failed',
      live: present,
      target: targetOf(changed),
      rollout: { previousRevision, state: 'Failed' },
      tells: [],
    },
    {
      name: 'a node that has to go back',
      live: reported(here, targetOf(changed), 'refused'),
      target: targetOf(changed),
      rollout: { previousRevision, state: 'RollingBack' },
      tells: [previousRevision],
    },
    { name: 'no node is left', live: present, target: targetOf(changed), rollout: { state: 'Idle' }, tells: [] },
  ];
  test.each(rows)('$name', ({ live, target, rollout, tells }) => {
    expect(assigned(target, live, rollout)).toEqual(tells);
  });
});

test.each([
  { value: 3, total: 100, is: 3 },
  { value: '10%', total: 100, is: 10 },
  { value: '10%', total: 101, is: 11 },
  { value: '1%', total: 3, is: 1 },
  { value: '100%', total: 7, is: 7 },
])('$value of $total is $is: percentages round up', ({ value, total, is }) => {
  expect(portion(value, total)).toBe(is);
});

test('a patch is tied to the resourceVersion that it was decided on', () => {
  const { method, options } = nodeWrite(here, targetOf(changed), present);
  expect(method).toBe('PATCH');
  expect(options.body).toContainEqual({ op: 'add', path: '/metadata/resourceVersion', value: '7' });
});

test.each([
  { enabled: true, probe: { periodSeconds: 5, failureThreshold: 2 } },
  { enabled: false, probe: undefined },
])('a node is told what to probe: $probe', ({ enabled, probe }) => {
  const { rollout } = before.config.spec;
  const { options } = nodeWrite(
    here,
    targetOf({ rollout: { ...rollout, probe: { enabled, periodSeconds: 5, failureThreshold: 2 } } }),
    undefined,
  );
  expect((options.body as NodeProxy).spec.probe).toEqual(probe);
});

/** All nodes run the first configuration. */
function started(nodes: number): SimulatedCluster {
  const cluster = new SimulatedCluster(nodes, { masquerade: { bit: 14, all: false } });
  cluster.run(120);
  expect(cluster.state).toBe('Complete');
  return cluster;
}

describe('the course of a rollout', () => {
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
      for (const _turn of [1, 2, 3]) cluster.clockAt();
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
    for (const _turn of [1, 2, 3]) cluster.clockAt();
    expect(cluster.running()).toEqual([15, 14, 14, 14]);
    cluster.run(600);
    expect({ state: cluster.state, running: cluster.running() }).toEqual({
      state: 'Complete',
      running: [15, 15, 15, 15],
    });
  });

  test('a node that comes in mid-rollout takes its share of the budget at once: none that serves is touched beside it', () => {
    const cluster = started(2);
    cluster.changeSpec({ masquerade: { bit: 15, all: false }, rollout: { minReadySeconds: 0, maxUnavailable: 1 } });
    cluster.addNode();
    for (const _turn of [1, 2, 3]) cluster.clockAt();
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
    for (const _turn of [1, 2, 3]) cluster.clockAt();
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
      cluster.clockAt();
      expect({ state: cluster.state, changed: cluster.running().filter((bit) => bit === 15).length }).toEqual({
        state: 'Progressing',
        changed: 1,
      });
      cluster.run(3000);
      expect(cluster.state).toBe('Complete');
    }
  });
});

test('the history keeps what is in use and as many others as asked for, the oldest go first', () => {
  const cluster = new SimulatedCluster(2, { revisionHistoryLimit: 2, masquerade: { bit: 14, all: false } });
  for (const bit of [15, 16, 17, 18, 19]) {
    cluster.changeSpec({ masquerade: { bit, all: false } });
    cluster.run(600);
  }
  const bits = historyOf(cluster.config(), cluster).map(({ nodeConfig }) => nodeConfig.masquerade.bit);
  expect(bits).toEqual([16, 17, 18, 19]);
});

test('a revision is kept before it is told, once, and belongs to its ProxyConfig', () => {
  const [write, ...others] = revisionWrites(before, [], []);
  expect(others).toEqual([]);
  expect(write?.options.body).toMatchObject({
    kind: 'ControllerRevision',
    revision: 1,
    data: { mode: 'iptables' },
    metadata: { ownerReferences: [{ kind: 'ProxyConfig', uid: 'uid-of-all' }] },
  });
  const kept = { name: 'x', owner: 'uid-of-all', revision: before.revision, number: 1, nodeConfig: before.nodeConfig };
  expect(revisionWrites(before, [kept], [])).toEqual([]);
});

const status = (state: Rollout['state']) => ({
  observedGeneration: 2,
  rollout: { revision: 'r', startedAt: now.toISOString(), state },
});

test.each([
  { name: 'begins', was: undefined, is: 'Progressing', reason: 'RolloutStarted' },
  { name: 'is where it was', was: 'Progressing', is: 'Progressing', reason: undefined },
  { name: 'goes on after a pause', was: 'Paused', is: 'Progressing', reason: undefined },
  { name: 'waits', was: 'Progressing', is: 'Paused', reason: 'RolloutPaused' },
  { name: 'is over', was: 'Progressing', is: 'Complete', reason: 'RolloutComplete' },
  { name: 'goes back', was: 'Progressing', is: 'RollingBack', reason: 'RollingBack' },
  { name: 'is back', was: 'RollingBack', is: 'RolledBack', reason: 'RolledBack' },
  { name: 'has stopped', was: 'Progressing', is: 'Failed', reason: 'RolloutFailed' },
] as const)('events: a rollout $name', ({ was, is, reason }) => {
  expect(statusEvents(was && status(was), status(is)).map((event) => event.reason)).toEqual(
    reason === undefined ? [] : [reason],
  );
});

test("agents' reports are told apart", () => {
  const phases = (
    ['assigned', 'applied', 'appliedBefore', 'servesBefore', 'refused', 'syncing'] satisfies Report[]
  ).map((report) => {
    const view = {
      nodeProxies: new Map([['a', reported(here, before, report)]]),
      lostNodeProxies: new Map(),
      readyAgents: new Set(['a']),
    };
    return `${report} ${outcomesOf(before, view, clock)[0]?.phase}`;
  });
  expect(phases).toEqual([
    'assigned Changing',
    'applied Ready',
    'appliedBefore Changing',
    'servesBefore Changing',
    'refused Failed',
    'syncing Changing',
  ]);
});
