import { describe, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { nodeWrite } from '../../src/operator/writes/nodeWrite.ts';
import { node, reported, targetOf } from './objects.ts';

const here = node('a');
const before = targetOf();

describe('nodeWrite', () => {
  test('a patch is tied to the resourceVersion that it was decided on', () => {
    const { method, options } = nodeWrite(
      here,
      targetOf({ generation: 2, masquerade: { bit: 15, all: false } }),
      reported(here, before, 'applied'),
    );
    expect(method).toBe('PATCH');
    expect(options.body).toContainEqual({ op: 'add', path: '/metadata/resourceVersion', value: '7' });
  });

  test.each([
    { enabled: true, probe: { periodSeconds: 5, failureThreshold: 2 } },
    { enabled: false, probe: undefined },
  ])('a node is assigned what to probe: $probe', ({ enabled, probe }) => {
    const { rollout } = before.config.spec;
    const { options } = nodeWrite(
      here,
      targetOf({ rollout: { ...rollout, probe: { enabled, periodSeconds: 5, failureThreshold: 2 } } }),
      undefined,
    );
    expect((options.body as NodeProxy).spec.probe).toEqual(probe);
  });
});
