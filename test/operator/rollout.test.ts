import { expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/nodeProxy.ts';
import { resolveTargets, type Target } from '../../src/operator/resolve.ts';
import { nodesToUpdate } from '../../src/operator/rollout.ts';
import { nodeWrite } from '../../src/operator/writeNodes.ts';
import { node, proxyConfig, reported } from './objects.ts';

const here = node('a');

function targetOf(traits: Parameters<typeof proxyConfig>[1] = {}, name = 'all'): Target {
  const [target] = resolveTargets({ nodes: new Map([['a', here]]), configs: new Map([[name, proxyConfig(name, traits)]]) });
  if (!target) throw new Error('no target');
  return target;
}

const present = reported(here, targetOf(), 'applied');
const ofOldNode: NodeProxy = { ...present, metadata: { ...present.metadata, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'uid-of-a-before' }] } };

test.each([
  { name: 'a new node', live: undefined, target: targetOf(), writes: true },
  { name: 'a node that has it', live: present, target: targetOf(), writes: false },
  { name: 'a node that was told and has not answered', live: reported(here, targetOf(), 'told'), target: targetOf(), writes: false },
  { name: 'a node that refused it', live: reported(here, targetOf(), 'refused'), target: targetOf(), writes: false },
  { name: 'a changed setting for nodes', live: present, target: targetOf({ generation: 2, masquerade: { bit: 15, all: false } }), writes: true },
  { name: 'a changed setting that is no business of nodes', live: present, target: targetOf({ generation: 2, priority: 9 }), writes: false },
  { name: 'another ProxyConfig with the same settings', live: present, target: targetOf({}, 'other'), writes: true },
  { name: 'a change while paused', live: present, target: targetOf({ paused: true, masquerade: { bit: 15, all: false } }), writes: false },
  { name: 'a new node while paused', live: undefined, target: targetOf({ paused: true }), writes: false },
  { name: 'a node that was made anew under its name', live: ofOldNode, target: targetOf(), writes: true },
])('$name', ({ live, target, writes }) => {
  const nodes = nodesToUpdate(target, new Map(live ? [['a', live]] : []));
  expect(nodes.map(({ name }) => name)).toEqual(writes ? ['a'] : []);
});

test('a patch is tied to the resourceVersion that it was decided on', () => {
  const { method, options } = nodeWrite(here, targetOf({ masquerade: { bit: 15, all: false } }), present);
  expect(method).toBe('PATCH');
  expect(options.body).toContainEqual({ op: 'add', path: '/metadata/resourceVersion', value: '7' });
});
