import { describe, expect, test } from '@jest/globals';
import { clock, proxyConfig, situation, type Report, unchangedFor } from './objects.ts';
import { statusOf, statusRows, withStatus } from './statusRows.ts';

describe('aggregateStatus', () => {
  test.each(statusRows)('$name', (row) => {
    const { nodes, holds, reason, state, failures = [] } = row;
    const { status = { observedGeneration: -1 } } = withStatus(row);
    const conditions = status.conditions ?? [];
    expect(status.nodes).toMatchObject(nodes);
    expect(conditions.filter((condition) => condition.status === 'True').map(({ type }) => type)).toEqual(holds);
    expect(conditions.find(({ type }) => type === 'Ready')?.reason).toBe(reason);
    expect(status.rollout).toMatchObject({ revision: status.observedHash, state });
    expect((status.failures ?? []).map((failure) => `${failure.node} ${failure.reason}`)).toEqual(failures);
  });

  test('every condition is there, each with the generation it speaks of', () => {
    const { observedGeneration, conditions = [] } = statusOf(
      situation(proxyConfig('all', { generation: 4 }), { a: 'applied' }),
    );
    expect(observedGeneration).toBe(4);
    expect(conditions.map(({ type, observedGeneration: of }) => `${type} ${of}`)).toEqual([
      'Conflicted 4',
      'Degraded 4',
      'Drifted 4',
      'Ready 4',
      'Reconciling 4',
      'Stalled 4',
    ]);
  });

  describe('of nodes that are out of reach for longer than the deadline', () => {
    const late = unchangedFor(86_400_000);
    test.each<{ name: string; b: Report; away: object; reason: string; holds: string }>([
      {
        name: 'one that has served',
        b: 'servesBefore',
        away: { agentsDown: ['b'] },
        reason: 'AllReachableNodesReady',
        holds: 'Ready',
      },
      {
        name: 'one whose agent never served',
        b: 'assigned',
        away: { agentsDown: ['b'] },
        reason: 'NodesNeverServed',
        holds: 'Stalled',
      },
      {
        name: 'one that no agent was made for',
        b: 'assigned',
        away: { withoutPods: ['b'] },
        reason: 'AllReachableNodesReady',
        holds: 'Ready',
      },
    ])('$name: $holds, $reason', ({ b, away, reason, holds }) => {
      const {
        conditions = [],
        nodes,
        rollout,
      } = statusOf(situation(proxyConfig('all'), { a: 'applied', b }, { ...away, at: late }));
      const found = conditions.filter(
        ({ type, status }) => status === 'True' && ['Ready', 'Stalled', 'Reconciling'].includes(type),
      );
      expect(found.map(({ type, reason: why }) => `${type} ${why}`)).toEqual([`${holds} ${reason}`]);
      expect({ unavailable: nodes?.unavailable, state: rollout?.state }).toEqual({
        unavailable: 1,
        state: 'Complete',
      });
    });
  });

  test('modes are those in force, also where another one was asked for', () => {
    expect(statusOf(situation(proxyConfig('all', { mode: 'ipvs' }), { a: 'refused', b: 'assigned' })).modes).toEqual({
      iptables: 1,
    });
  });

  test.each<Record<string, Report>>([{ a: 'applied', b: 'refused' }, { a: 'applied' }, {}])(
    'a later reconciliation of the same cluster gives the same status, times included: %j',
    (reports) => {
      const status = statusOf(situation(proxyConfig('all'), reports));
      const later = { ...clock, now: Date.parse('2026-06-01T00:00:00Z') };
      expect(statusOf(situation(proxyConfig('all', { status }), reports, { at: later }))).toEqual(status);
    },
  );

  test.each(['refused', 'assigned'] as const)(
    'a thousand nodes with long names, all %s, stay within the bounds of the CRD',
    (report) => {
      const reports = Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [`${'x'.repeat(240)}-${index}`, report]),
      );
      const { failures = [], conditions = [], nodes } = statusOf(situation(proxyConfig('all'), reports));
      expect(nodes?.unavailable).toBe(1000);
      expect(failures).toHaveLength(report === 'refused' ? 10 : 0);
      expect(Math.max(...conditions.map(({ message }) => message.length))).toBeLessThanOrEqual(1024);
    },
  );
});
