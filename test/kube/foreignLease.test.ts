/**
 * Leases as somebody may have written them by hand: the API server takes them all.
 */
import { describe, expect, test } from '@jest/globals';
import type { KubeClient, SendOptions } from '../../src/kube/client.ts';
import { LeaderElection } from '../../src/kube/leaderElection.ts';
import { until } from '../support/until.ts';

const maxInt32 = 2 ** 31 - 1;

describe('LeaderElection', () => {
  test.each<[string, object]>([
    ['a duration of 68 years', { spec: { holderIdentity: 'gone', leaseDurationSeconds: maxInt32 } }],
    ['no duration', { spec: { holderIdentity: 'gone' } }],
    ['as many transitions as fit', { spec: { leaseTransitions: maxInt32 } }],
    ['no spec', {}],
  ])('a Lease with %s that nobody renews is taken in the end', async (_name, fields) => {
    const written: { leaseTransitions: number; leaseDurationSeconds: number; holderIdentity: string }[] = [];
    const lease = { metadata: { name: 'lease', namespace: 'ns', resourceVersion: '1' }, ...fields };
    const client = {
      get: () => Promise.resolve(lease),
      send: (_method: string, _path: string, { body }: SendOptions = {}) => {
        written.push((body as { spec: (typeof written)[number] }).spec);
        return Promise.resolve(body);
      },
    } as unknown as KubeClient;
    const stop = new AbortController();
    const terms: AbortSignal[] = [];
    const timing = { retryMs: 10, maxForeignDurationMs: 50 };
    const election = new LeaderElection({ client, namespace: 'ns', name: 'lease', identity: 'a', timing });
    const running = election.run(async (term) => {
      terms.push(term);
      await new Promise((resolve) => term.addEventListener('abort', resolve));
    }, stop.signal);
    await until('it leads', () => terms.length === 1);
    expect(written[0]).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 12 });
    expect(written[0]?.leaseTransitions).toBeLessThanOrEqual(maxInt32);
    stop.abort();
    await running;
  });
});
