import { describe, expect, test } from '@jest/globals';
import { outcomesOf } from '../../src/operator/rollout/nodeOutcome.ts';
import type { Clock } from '../../src/operator/rollout/since.ts';
import { clock, node, reported, targetOf, type Report, unchangedFor } from './objects.ts';

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
        unreadyAgents: new Set<string>(),
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

  const minute = 60_000;
  /** Things have been as they are for so long; the deadline is ten minutes. */
  const since = (minutes: number): Clock => unchangedFor(minutes * minute);
  test.each<{ name: string; pod: string; report: Report; minutes?: number; ready?: boolean; reach: string }>([
    { name: 'an agent Pod that is ready', pod: 'ready', report: 'none', reach: 'in reach' },
    { name: 'an agent Pod that is not ready, whatever was reported', pod: 'unready', report: 'applied', reach: 'away' },
    {
      name: 'no agent Pod, and an agent that answers',
      pod: 'none',
      report: 'applied',
      minutes: 100,
      reach: 'in reach',
    },
    {
      name: 'no agent Pod, and an agent that refuses',
      pod: 'none',
      report: 'refused',
      minutes: 100,
      reach: 'in reach',
    },
    {
      name: 'no agent Pod, and an agent that was asked just now',
      pod: 'none',
      report: 'appliedBefore',
      reach: 'in reach',
    },
    {
      name: 'no agent Pod, and no answer for the deadline',
      pod: 'none',
      report: 'appliedBefore',
      minutes: 10,
      reach: 'ignored',
    },
    { name: 'no agent Pod, and never an answer', pod: 'none', report: 'assigned', reach: 'away' },
    { name: 'no agent Pod, and no NodeProxy', pod: 'none', report: 'none', reach: 'away' },
    {
      name: 'a node that is NotReady, although its agent answers',
      pod: 'none',
      report: 'applied',
      ready: false,
      reach: 'away',
    },
    {
      name: 'an agent Pod that is not ready for the deadline',
      pod: 'unready',
      report: 'applied',
      minutes: 10,
      reach: 'ignored',
    },
  ])('a node with $name is $reach', ({ pod, report, minutes = 1, ready = true, reach }) => {
    const nodes = new Set(['a']);
    const view = {
      nodeProxies: new Map(report === 'none' ? [] : [['a', reported(here, before, report)]]),
      lostNodeProxies: new Map(),
      readyAgents: pod === 'ready' ? nodes : new Set<string>(),
      unreadyAgents: pod === 'unready' ? nodes : new Set<string>(),
    };
    const target = { ...before, nodes: [{ ...here, ready }] };
    const [outcome] = outcomesOf(target, view, since(minutes));
    const found = outcome?.reachable ? 'in reach' : outcome?.ignoredAsUnreachable ? 'ignored' : 'away';
    expect(found).toBe(reach);
  });
});
