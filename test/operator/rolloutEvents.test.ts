import { describe, expect, test } from '@jest/globals';
import type { ProxyConfigStatus } from '../../src/api/nodeConfig.ts';
import { statusEvents } from '../../src/operator/events/rolloutEvents.ts';
import type { Rollout } from '../../src/operator/rollout/rolloutState.ts';
import { now } from './objects.ts';

const status = (state: Rollout['state']) => ({
  observedGeneration: 2,
  rollout: { revision: 'r', startedAt: now.toISOString(), state },
});

function conditioned(reason: string | undefined, generation: number): ProxyConfigStatus {
  const condition = {
    type: 'DeprecatedMode',
    status: 'True' as const,
    message: `${reason}.`,
    observedGeneration: generation,
    lastTransitionTime: now.toISOString(),
  };
  return {
    observedGeneration: generation,
    conditions: reason === undefined ? [] : [{ ...condition, reason }],
  };
}

describe('statusEvents', () => {
  test.each([
    { name: 'is asked for', was: undefined, is: 'KubeProxyDropsIPVS', events: ['KubeProxyDropsIPVS.'] },
    { name: 'is asked for still', was: 'KubeProxyDropsIPVS', is: 'KubeProxyDropsIPVS', events: [] },
    { name: 'is another one', was: 'A', is: 'KubeProxyDropsIPVS', events: ['KubeProxyDropsIPVS.'] },
    { name: 'is asked for no more', was: 'KubeProxyDropsIPVS', is: undefined, events: [] },
  ])('a mode that leaves kube-proxy $name', ({ was, is, events }) => {
    const found = statusEvents(conditioned(was, 1), conditioned(is, 2));
    expect(found.map(({ message }) => message)).toEqual(events);
    for (const event of found) expect(event).toMatchObject({ type: 'Warning', reason: 'DeprecatedMode' });
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
  ] as const)('a rollout $name', ({ was, is, reason }) => {
    expect(statusEvents(was && status(was), status(is)).map((event) => event.reason)).toEqual(
      reason === undefined ? [] : [reason],
    );
  });
});
