import { describe, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { outcomesOf } from '../../src/operator/rollout/nodeOutcome.ts';
import type { Target } from '../../src/operator/rollout/resolve.ts';
import { nodesToAssign } from '../../src/operator/rollout/rollout.ts';
import { situationOf, type Rollout } from '../../src/operator/rollout/rolloutState.ts';
import { clock, node, reported, targetOf, type ConfigTraits } from './objects.ts';

const here = node('a');
const before = targetOf();
const present = reported(here, before, 'applied');
const ofOldNode: NodeProxy = {
  ...present,
  metadata: {
    ...present.metadata,
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'uid-of-a-before' }],
  },
};
const changed: ConfigTraits = { generation: 2, masquerade: { bit: 15, all: false } };
const previousRevision = before.revision;

/** What node `a` is assigned in a rollout that has come to this state. */
function assigned(target: Target, live: NodeProxy | undefined, rollout: Partial<Rollout> = {}): string[] {
  const nodeProxies = new Map(live ? [['a', live]] : []);
  const view = {
    nodeProxies,
    lostNodeProxies: new Map(),
    readyAgents: new Set(['a']),
    unreadyAgents: new Set<string>(),
  };
  const situation = situationOf({ target, outcomes: outcomesOf(target, view, clock), clock, hasRevision: () => true });
  return nodesToAssign(situation, { revision: target.revision, state: 'Progressing', ...rollout }).map(({ revision }) =>
    revision === target.revision ? 'target' : revision,
  );
}
describe('nodesToAssign', () => {
  interface Row {
    readonly name: string;
    readonly live?: NodeProxy;
    readonly target: Target;
    readonly rollout?: Partial<Rollout>;
    readonly assigns: readonly string[];
  }
  const rows: Row[] = [
    { name: 'a new node, the first configuration of all', target: before, assigns: ['target'] },
    {
      name: 'a new node in mid-rollout gets what was completed last',
      target: targetOf(changed),
      rollout: { previousRevision },
      assigns: [previousRevision],
    },
    {
      name: 'a new node while paused gets it, too',
      target: targetOf({ ...changed, paused: true }),
      rollout: { previousRevision, state: 'Paused' },
      assigns: [previousRevision],
    },
    {
      name: 'a new node while paused before anything was completed',
      target: targetOf({ paused: true }),
      rollout: { state: 'Paused' },
      assigns: [],
    },
    {
      name: 'a new node after a rollback',
      target: targetOf(changed),
      rollout: { previousRevision, state: 'RolledBack' },
      assigns: [previousRevision],
    },
    { name: 'a node that has it', live: present, target: before, assigns: [] },
    {
      name: 'a node that was assigned it and has not reported',
      live: reported(here, before, 'assigned'),
      target: before,
      assigns: [],
    },
    { name: 'a node that refused it', live: reported(here, before, 'refused'), target: before, assigns: [] },
    {
      name: 'a changed setting for nodes',
      live: present,
      target: targetOf(changed),
      rollout: { previousRevision },
      assigns: ['target'],
    },
    {
      name: 'a changed setting that is no business of nodes',
      live: present,
      target: targetOf({ generation: 2, priority: 9 }),
      assigns: [],
    },
    {
      name: 'another ProxyConfig with the same settings',
      live: present,
      target: targetOf({}, 'other'),
      assigns: ['target'],
    },
    {
      name: 'a change while paused',
      live: present,
      target: targetOf({ ...changed, paused: true }),
      rollout: { previousRevision, state: 'Paused' },
      assigns: [],
    },
    { name: 'a node that was made anew under its name', live: ofOldNode, target: before, assigns: ['target'] },
    {
      name: 'a change that was rolled back',
      live: present,
      target: targetOf(changed),
      rollout: { previousRevision, state: 'RolledBack' },
      assigns: [],
    },
    {
      name: 'a change that has failed',
      live: present,
      target: targetOf(changed),
      rollout: { previousRevision, state: 'Failed' },
      assigns: [],
    },
    {
      name: 'a node that has to go back',
      live: reported(here, targetOf(changed), 'refused'),
      target: targetOf(changed),
      rollout: { previousRevision, state: 'RollingBack' },
      assigns: [previousRevision],
    },
    { name: 'no node is left', live: present, target: targetOf(changed), rollout: { state: 'Idle' }, assigns: [] },
  ];
  test.each(rows)('$name', ({ live, target, rollout, assigns }) => {
    expect(assigned(target, live, rollout)).toEqual(assigns);
  });
});
