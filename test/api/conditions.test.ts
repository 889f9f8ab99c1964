import { describe, expect, test } from '@jest/globals';
import { findCondition, mergeConditions, type ConditionNow } from '../../src/api/conditions.ts';

const ready: ConditionNow = { type: 'Ready', status: 'True', reason: 'AllReady', message: '3 of 3 nodes' };
const drifted: ConditionNow = { type: 'Drifted', status: 'False', reason: 'AsApplied', message: '' };
const first = mergeConditions(undefined, [ready, drifted], {
  observedGeneration: 1,
  now: new Date('2026-01-01T10:00:00.123Z'),
});
const later = { observedGeneration: 2, now: new Date('2026-01-01T11:00:00Z') };

describe('mergeConditions', () => {
  test('new conditions are stamped with the time in whole seconds, and sorted', () => {
    expect(
      first.map(({ type, lastTransitionTime, observedGeneration }) => [type, lastTransitionTime, observedGeneration]),
    ).toEqual([
      ['Drifted', '2026-01-01T10:00:00Z', 1],
      ['Ready', '2026-01-01T10:00:00Z', 1],
    ]);
  });

  test('a new reason, message and generation do not move the transition time', () => {
    const [same] = mergeConditions(first, [{ ...ready, reason: 'NoNodes', message: 'none' }], later);
    expect(same).toEqual({
      type: 'Ready',
      status: 'True',
      reason: 'NoNodes',
      message: 'none',
      observedGeneration: 2,
      lastTransitionTime: '2026-01-01T10:00:00Z',
    });
  });

  test('a new status moves it', () => {
    expect(
      findCondition(mergeConditions(first, [{ ...ready, status: 'False' }], later), 'Ready')?.lastTransitionTime,
    ).toBe('2026-01-01T11:00:00Z');
  });

  test('a condition that no longer holds is gone', () => {
    expect(mergeConditions(first, [ready], later).map(({ type }) => type)).toEqual(['Ready']);
  });
});
