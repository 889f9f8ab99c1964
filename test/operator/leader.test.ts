/**
 * Several operators, of which one works: `proxyconfig operator` from the bundle, killed, stopped and frozen.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execa, type ResultPromise } from 'execa';
import { bundle } from '../../.ci/build.ts';
import { LeaderElection, NotLeader, writingAsLeader } from '../../src/kube/leaderElection.ts';
import { waitFor } from '../cluster/wait.ts';
import { describeWhere } from '../requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';

const bit = (value: number) => ({ masquerade: { bit: value } });

describeWhere(['cluster'], 'of several operators one leads', () => {
  let cluster: ClusterFixture;

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
  }, 120_000);
  afterAll(() => cluster?.stop());

  describe('processes', () => {
    const processes: OperatorProcess[] = [];
    let directory = '';

    beforeAll(async () => {
      directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-leader-'));
      await bundle(directory);
      await cluster.addNode('node-1');
      await cluster.addConfig('all');
    }, 60_000);
    afterAll(async () => {
      await Promise.all(processes.map((operator) => operator.end('SIGKILL')));
      await rm(directory, { recursive: true, force: true });
    });

    async function start(): Promise<OperatorProcess> {
      const operator = new OperatorProcess(path.join(directory, 'proxyconfig.js'), cluster.server.kubeconfig);
      processes.push(operator);
      await waitFor('it has started', async () => operator.says('operator starts'), { timeoutMs: 10_000 });
      return operator;
    }
    const leads = (operator: OperatorProcess, timeoutMs: number): Promise<unknown> => waitFor('it leads', async () => operator.leads(), { timeoutMs, everyMs: 50, explain: () => operator.log });

    test('a killed one is replaced within 20 s, a frozen one writes nothing when it goes on, a stopped one hands over', async () => {
      const killed = await start();
      await leads(killed, 5000);
      await cluster.governedBy('node-1', 'all');
      const frozen = await start();
      const third = await start();
      await sleep(1000);
      expect([frozen.leads(), third.leads()]).toEqual([false, false]);

      const killedAt = performance.now();
      await killed.end('SIGKILL');
      const [next, other] = await Promise.race([leads(frozen, 20_000).then(() => [frozen, third] as const), leads(third, 20_000).then(() => [third, frozen] as const)]);
      const replacedAfter = performance.now() - killedAt;
      console.info(`a killed leader was replaced after ${(replacedAfter / 1000).toFixed(1)} s`);
      expect(replacedAfter).toBeLessThan(20_000);

      next.signal('SIGSTOP');
      await cluster.changeConfig('all', bit(15));
      await leads(other, 20_000);
      await cluster.masquerades('node-1', 15);
      await cluster.agentApplies('node-1');
      await cluster.changeConfig('all', bit(16));
      const newest = await cluster.masquerades('node-1', 16);
      next.signal('SIGCONT');
      await waitFor('the one that was frozen steps down', async () => next.says('leads no longer'), { timeoutMs: 10_000, explain: () => next.log });
      expect(await cluster.nodeProxy('node-1')).toEqual(newest);

      const stoppedAt = performance.now();
      expect(await other.end('SIGTERM')).toBe(0);
      await waitFor('the other one leads again', async () => next.count('leads') === 2, { timeoutMs: 6000, explain: () => next.log });
      console.info(`a stopped leader was replaced after ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s`);
      await cluster.changeConfig('all', bit(17));
      await cluster.agentApplies('node-1');
      await cluster.masquerades('node-1', 17);
    }, 90_000);
  });

  describe('the election itself', () => {
    const timing = { durationMs: 1000, renewDeadlineMs: 700, retryMs: 100 };
    const stops: AbortController[] = [];
    const running: Promise<void>[] = [];
    let leading: string[] = [];

    afterEach(async () => {
      for (const stop of stops.splice(0)) stop.abort();
      await Promise.all(running.splice(0));
      leading = [];
    });

    function compete(identity: string, { name, client = cluster.client }: { name: string; client?: typeof cluster.client }): { identity: string; election: LeaderElection; stop: AbortController } {
      const election = new LeaderElection({ client, namespace: 'proxyconfig-system', name, identity, timing });
      const stop = new AbortController();
      stops.push(stop);
      const lead = async (term: AbortSignal): Promise<void> => {
        leading.push(identity);
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
        await waitFor('it has ended', async () => leading.length === 0 || leading.length === 1, { timeoutMs: 1000, everyMs: 10 });
      }
    });

    test('one that cannot renew leads no longer, by its own clock and before another does', async () => {
      let isCut = false;
      const send: typeof cluster.client.send = (method, url, options) => (isCut ? Promise.reject(new Error('cut off')) : cluster.client.send(method, url, options));
      const cut = compete('cut', { name: 'cut', client: { ...cluster.client, send } });
      await waitFor('it leads', async () => cut.election.isLeader(), { timeoutMs: 3000, everyMs: 10 });
      const other = compete('other', { name: 'cut' });
      isCut = true;
      await waitFor('the other leads', async () => {
        expect(cut.election.isLeader() && other.election.isLeader()).toBe(false);
        return other.election.isLeader();
      }, { timeoutMs: 5000, everyMs: 5 });
      await waitFor('the first has ended its term', async () => !leading.includes('cut'), { timeoutMs: 2000 });
    });

    test('what is not leading writes nothing', async () => {
      const client = writingAsLeader(cluster.client, () => false);
      await expect(client.send('POST', '/api/v1/namespaces', { body: {} })).rejects.toThrow(NotLeader);
      await expect(client.get('/api/v1/namespaces')).resolves.toBeDefined();
    });
  });
});

class OperatorProcess {
  readonly #process: ResultPromise<{ reject: false; all: true; buffer: false }>;
  log = '';

  constructor(program: string, kubeconfig: string) {
    const flags = ['--kubeconfig', kubeconfig, '--health-address', '127.0.0.1:0', '--metrics-address', '127.0.0.1:0'];
    this.#process = execa(process.execPath, [program, 'operator', ...flags], { reject: false, all: true, buffer: false });
    this.#process.all.setEncoding('utf8').on('data', (text: string) => (this.log += text));
  }

  count(message: string): number {
    return this.log.split(`"message":"${message}"`).length - 1;
  }

  says(message: string): boolean {
    return this.count(message) > 0;
  }

  leads(): boolean {
    return this.count('leads') > this.count('leads no longer');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(name);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | undefined> {
    this.#process.kill(signal);
    return (await this.#process).exitCode;
  }
}
