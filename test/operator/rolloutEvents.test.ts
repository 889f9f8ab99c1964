import { describe, expect, test } from '@jest/globals';
import { statusEvents } from '../../src/operator/events/rolloutEvents.ts';
import type { Rollout } from '../../src/operator/rollout/rolloutState.ts';
import { now } from './objects.ts';

const status = (state: Rollout['state']) => ({
  observedGeneration: 2,
  rollout: { revision: 'r', startedAt: now.toISOString(), state },
});

describe('statusEvents', () => {
  test.each([
    { name: 'begins', was: undefined, is: 'Progressing', reason: 'RolloutStarted' },
    { name: 'is where it was', was: 'Progressing', is: 'Progressing', reason: undefined },
    { name: 'goes on after a pause', was: 'Paused', is: 'Progressing', reason: undefined },
    { name: 'waits', was: 'Progressing', is: 'Paused', reason: 'RolloutPaused' },
    { name: 'is over', was: 'Progressing', is: 'Complete', reason: 'RolloutComplete' },
    { name: 'goes back', was: 'Progressing', is: 'RollingBack', reason: 'RollingBack' },
    { name: 'is back', was: 'RollingBack', is: 'RolledBack', reason: 'RolledBack' },
    { name: 'has stopped', was: 'Progressing', is: 'Failed', reason: 'RolloutFailed' },
  ] as const)('a rollout $name', ({ was, is, reason }) => {
    expect(statusEvents(was && status(was), status(is)).map((event) => event.reason)).toEqual(
      reason === undefined ? [] : [reason],
    );
  });
});
