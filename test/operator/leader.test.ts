/**
 * Several operators, of which one works: `proxyconfig operator` from the bundle, killed and stopped.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { LeaderElection, NotLeader, writingAsLeader } from '../../src/kube/leaderElection.ts';
import { waitFor } from '../support/waitFor.ts';
import { annotate, LateWrites, type WritesOf } from '../kube/lateWrites.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { firstToLead, OperatorProcesses } from './operatorProcess.ts';

const renewal = (name: string): WritesOf => ({ method: 'PUT', path: new RegExp(`/leases/${name}$`) });

interface LeaseObject {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly spec: { readonly holderIdentity?: string; readonly renewTime?: string };
}

describeWhere(['cluster'], 'LeaderElection', () => {
  let cluster: ClusterFixture;

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
  }, 120_000);
  afterAll(() => cluster?.stop());

  describe('processes', () => {
    let operators: OperatorProcesses;

    beforeAll(async () => {
      operators = await OperatorProcesses.build();
      await cluster.addNode('node-1');
      await cluster.addConfig('all');
    }, 60_000);
    afterAll(() => operators?.stop());

    test('a killed one is replaced within 20 s, a stopped one hands over', async () => {
      const [killed, second, third] = [
        await operators.start(cluster.server.kubeconfig),
        await operators.start(cluster.server.kubeconfig),
        await operators.start(cluster.server.kubeconfig),
      ];
      await killed.takesTheLead(5000);
      await cluster.governedBy('node-1', 'all');
      await sleep(1000);
      expect([second.leads(), third.leads()]).toEqual([false, false]);

      const killedAt = performance.now();
      await killed.end('SIGKILL');
      const next = await firstToLead([second, third]);
      const replacedAfter = performance.now() - killedAt;
      console.info(`a killed leader was replaced after ${(replacedAfter / 1000).toFixed(1)} s`);
      expect(replacedAfter).toBeLessThan(20_000);

      const other = next === second ? third : second;
      const stoppedAt = performance.now();
      expect(await next.end('SIGTERM')).toBe(0);
      await other.takesTheLead(6000);
      console.info(`a stopped leader was replaced after ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s`);
      await cluster.changeConfig('all', { masquerade: { bit: 17 } });
      await cluster.agentApplies('node-1');
      await cluster.masquerades('node-1', 17);
    }, 90_000);
  });

  describe('in one process', () => {
    const timing = { durationMs: 1000, renewDeadlineMs: 700, retryMs: 100 };
    const leases = '/apis/coordination.k8s.io/v1/namespaces/proxyconfig-system/leases';
    const stops: AbortController[] = [];
    const running: Promise<void>[] = [];
    let leading: string[] = [];
    /** Who began to lead, one after the other. */
    let led: string[] = [];
    let errors: unknown[] = [];

    afterEach(async () => {
      for (const stop of stops.splice(0)) stop.abort();
      await Promise.all(running.splice(0));
      leading = [];
      led = [];
      errors = [];
    });

    function compete(
      identity: string,
      { name, client = cluster.client }: { name: string; client?: typeof cluster.client },
    ): { identity: string; election: LeaderElection; stop: AbortController } {
      const election = new LeaderElection({
        client,
        namespace: 'proxyconfig-system',
        name,
        identity,
        timing,
        onError: (error) => errors.push(error),
      });
      const stop = new AbortController();
      stops.push(stop);
      const lead = async (term: AbortSignal): Promise<void> => {
        leading.push(identity);
        led.push(identity);
        await new Promise((resolve) => term.addEventListener('abort', resolve, { once: true }));
        leading = leading.filter((other) => other !== identity);
      };
      running.push(election.run(lead, stop.signal));
      return { identity, election, stop };
    }

    test('never two at a time, and the next one at once after a graceful end', async () => {
      const competitors = ['a', 'b', 'c'].map((identity) => compete(identity, { name: 'graceful' }));
      for (let left = 3; left > 0; left -= 1) {
        await waitFor('one leads', async () => leading.length === 1, { timeoutMs: 3000, everyMs: 10 });
        await sleep(500);
        expect(leading).toHaveLength(1);
        expect(competitors.filter(({ election }) => election.isLeader())).toHaveLength(1);
        competitors.find(({ identity }) => identity === leading[0])?.stop.abort();
        await waitFor('it has ended', async () => leading.length === 0 || leading.length === 1, {
          timeoutMs: 1000,
          everyMs: 10,
        });
      }
      expect(errors).toEqual([]);
    });

    const leaseOf = (name: string): Promise<LeaseObject> => cluster.client.get(`${leases}/${name}`);
    /** undefined while there is none. */
    const renewTimeOf = (name: string): Promise<string | undefined> =>
      leaseOf(name).then(
        ({ spec }) => spec.renewTime,
        () => undefined,
      );

    test.each([
      {
        name: 'annotated',
        others: () => annotate(cluster.client, `${leases}/annotated`),
      },
      {
        name: 'deleted',
        others: () => cluster.client.send('DELETE', `${leases}/deleted`),
      },
    ])('one whose Lease is $name before each renewal goes on leading', async ({ name, others }) => {
      const late = new LateWrites();
      const { election } = compete('a', { name, client: late.client(cluster.client) });
      await waitFor('it leads', async () => election.isLeader(), { timeoutMs: 3000, everyMs: 10 });
      for (let renewals = 1; renewals <= 10; renewals += 1) {
        const before = await renewTimeOf(name);
        await late.next(1, renewal(name), others);
        const isRenewed = async (): Promise<boolean> => ![before, undefined].includes(await renewTimeOf(name));
        await waitFor('it has renewed the Lease', isRenewed, { timeoutMs: 3000, everyMs: 10 });
      }
      expect(late.refusedAt).toHaveLength(10);
      expect({ led, leading, errors }).toEqual({ led: ['a'], leading: ['a'], errors: [] });
    });

    test('what others write to a Lease stays', async () => {
      const late = new LateWrites();
      compete('a', { name: 'kept', client: late.client(cluster.client) });
      await late.next(1, renewal('kept'), () => annotate(cluster.client, `${leases}/kept`));
      await late.next(2, renewal('kept'), async () => undefined);
      expect(Object.keys((await leaseOf('kept')).metadata.annotations ?? {})).toEqual(['somebody.else/was-here']);
    });

    test('one whose Lease another has taken stops at once, and leaves it to them', async () => {
      const late = new LateWrites();
      const { election } = compete('a', { name: 'taken', client: late.client(cluster.client) });
      await waitFor('it leads', async () => election.isLeader(), { timeoutMs: 3000, everyMs: 10 });
      await late.next(1, renewal('taken'), () =>
        cluster.client.send('PATCH', `${leases}/taken`, {
          contentType: 'application/merge-patch+json',
          body: { spec: { holderIdentity: 'b' } },
        }),
      );
      const taken = performance.now();
      await waitFor('its term is over', async () => leading.length === 0, { timeoutMs: 3000, everyMs: 5 });
      expect(performance.now() - taken).toBeLessThan(timing.renewDeadlineMs - timing.retryMs);
      expect((await leaseOf('taken')).spec.holderIdentity).toBe('b');
      expect(errors).toEqual([]);
    });

    test('one that stops gives a Lease back that somebody has just written', async () => {
      const late = new LateWrites();
      const { election, stop } = compete('a', { name: 'returned', client: late.client(cluster.client) });
      await waitFor('it leads', async () => election.isLeader(), { timeoutMs: 3000, everyMs: 10 });
      void late.next(3, renewal('returned'), () => annotate(cluster.client, `${leases}/returned`));
      stop.abort();
      await Promise.all(running);
      expect((await leaseOf('returned')).spec.holderIdentity).toBe('');
      expect({ refused: late.refusedAt.length, errors }).toEqual({ refused: 3, errors: [] });
    });

    test('one that cannot renew leads no longer, by its own clock and before another does', async () => {
      let isCut = false;
      const send: typeof cluster.client.send = (method, url, options) =>
        isCut ? Promise.reject(new Error('cut off')) : cluster.client.send(method, url, options);
      const cut = compete('cut', { name: 'cut', client: { ...cluster.client, send } });
      await waitFor('it leads', async () => cut.election.isLeader(), { timeoutMs: 3000, everyMs: 10 });
      const other = compete('other', { name: 'cut' });
      isCut = true;
      await waitFor(
        'the other leads',
        async () => {
          expect(cut.election.isLeader() && other.election.isLeader()).toBe(false);
          return other.election.isLeader();
        },
        { timeoutMs: 5000, everyMs: 5 },
      );
      await waitFor('the first has ended its term', async () => !leading.includes('cut'), { timeoutMs: 2000 });
    });

    test('what is not leading writes nothing', async () => {
      const client = writingAsLeader(cluster.client, () => false);
      await expect(client.send('POST', '/api/v1/namespaces', { body: {} })).rejects.toThrow(NotLeader);
      await expect(client.get('/api/v1/namespaces')).resolves.toBeDefined();
    });
  });
});
