import { describe, expect, test } from '@jest/globals';
import { outcomesOf } from '../../src/operator/rollout/nodeOutcome.ts';
import { clock, node, reported, targetOf, type Report } from './objects.ts';

const here = node('a');
const before = targetOf();

describe('outcomesOf', () => {
  test("agents' reports give different phases", () => {
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
});
