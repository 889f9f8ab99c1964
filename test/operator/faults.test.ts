/**
 * What may go wrong in mid-rollout, on a real API server: nothing is lost, and no more nodes are in change than may be.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { isGone } from '../../src/kube/apiError.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { ProxyConfigOperator } from '../../src/operator/operator.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { cutWatches } from './cutWatches.ts';
import { FleetOfAgents } from './fleetOfAgents.ts';
import { newOperator } from './startOperator.ts';

const names = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5', 'node-6'];
const nodes = '/api/v1/nodes';
/** Watches are answered from etcd itself, and what is older than a second or two is gone. */
const forgetful = ['--watch-cache=false', '--etcd-compaction-interval=1s'];
const bit = (value: number) => ({ masquerade: { bit: value } });

describeWhere(['cluster'], 'ProxyConfigOperator, a fault in mid-rollout', () => {
  let cluster: ClusterFixture;
  let operators: ProxyConfigOperator[] = [];
  let agents: FleetOfAgents;

  async function startOperator(client: KubeClient = cluster.client): Promise<ProxyConfigOperator> {
    const operator = newOperator(client);
    operators.push(operator);
    await operator.start();
    return operator;
  }

  /**
   * An operator that can be cut off, as a killed process is: nothing that it decides afterwards reaches the API server.
   */
  async function startMortal(): Promise<{ kill: () => void }> {
    let isDead = false;
    const send: KubeClient['send'] = (method, path, options) =>
      isDead ? Promise.reject(new Error('killed')) : cluster.client.send(method, path, options);
    await startOperator({ ...cluster.client, send });
    return { kill: () => void (isDead = true) };
  }

  beforeAll(async () => {
    cluster = await ClusterFixture.start({ apiServerArguments: forgetful });
  }, 120_000);
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    agents = new FleetOfAgents(cluster);
    for (const name of names) await cluster.addNode(name);
  });
  afterEach(async () => {
    await agents.stop();
    for (const operator of operators) operator.stop();
    await Promise.all(operators.map((operator) => operator.stopped()));
    operators = [];
    await cluster.clear();
  });

  /** Everything runs bit 14, then a change begins, and its first nodes have it. */
  async function beginRollout(): Promise<void> {
    await cluster.addConfig('all', { rollout: { maxUnavailable: 1 } });
    agents.start();
    await complete();
    agents.maxChanging = 0;
    await cluster.changeConfig('all', bit(15));
    await waitFor('two nodes have changed', async () => agents.running(15) >= 2, { timeoutMs: 20_000, everyMs: 10 });
  }

  const complete = (): Promise<unknown> =>
    cluster.configThat(
      'all',
      'is complete',
      ({ metadata, status }) =>
        status?.observedGeneration === metadata.generation && status?.rollout?.state === 'Complete',
    );

  async function expectDone({ count = names.length, having = 15 } = {}): Promise<void> {
    await complete();
    expect({ running: agents.running(having), maxChanging: agents.maxChanging }).toEqual({
      running: count,
      maxChanging: 1,
    });
  }

  /**
   * With pauses by what the API server takes for an answer, so that somebody else comes to a word on a slow machine,
   * too.
   */
  async function meddle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const started = performance.now();
      const body = { status: { observedHash: `${Math.random()}` } };
      await cluster.client
        .send('PATCH', '/apis/proxyconfig.dev/v1alpha1/proxyconfigs/all/status', {
          contentType: 'application/merge-patch+json',
          body,
        })
        .catch(() => undefined);
      await sleep(50 + 4 * (performance.now() - started));
    }
  }

  /** Until nothing before now can be read any more. */
  async function compaction(): Promise<void> {
    const { metadata } = await cluster.client.get<{ metadata: { resourceVersion: string } }>(nodes);
    const past = { resourceVersion: metadata.resourceVersion, resourceVersionMatch: 'Exact' };
    await waitFor('etcd is compacted', () => cluster.client.get(nodes, past).then(() => false, isGone), {
      timeoutMs: 15_000,
      everyMs: 50,
    });
  }

  test('the operator is killed, and another goes on', async () => {
    const first = await startMortal();
    await beginRollout();
    first.kill();
    await startOperator();
    await expectDone();
  });

  test('two operators work at the same time: stale writes are refused', async () => {
    await startOperator();
    await startOperator();
    await beginRollout();
    await expectDone();
  });

  test('the API server is restarted', async () => {
    await startOperator();
    await beginRollout();
    await cluster.server.stopServer();
    await cluster.server.startServer();
    await expectDone();
  }, 60_000);

  test('watches are cut for so long that etcd has compacted their history', async () => {
    const line = cutWatches(cluster.client);
    await startOperator(line.client);
    await beginRollout();
    line.cutAll();
    for (const name of names) await cluster.labelNode(name, { 'missed-by-watches': 'true' });
    await compaction();
    line.mend();
    await expectDone();
    expect(line.cut.size).toBeGreaterThan(0);
    expect(line.gone).toEqual(line.cut);
  }, 30_000);

  test('somebody else writes the status all the time', async () => {
    await startOperator();
    await beginRollout();
    const enough = new AbortController();
    const meddling = meddle(enough.signal);
    await waitFor('all nodes have changed', async () => agents.running(15) === names.length, {
      timeoutMs: 25_000,
    }).finally(() => enough.abort());
    await meddling;
    await expectDone();
  }, 40_000);

  test('NodeProxies are deleted by hand: they come back as they were', async () => {
    await startOperator();
    await beginRollout();
    await cluster.changeConfig('all', { paused: true });
    await cluster.configThat('all', 'is paused', ({ status }) => status?.rollout?.state === 'Paused');
    const before = await agents.assigned();
    await cluster.kubectl(['delete', 'nodeproxies', '--all']);
    await waitFor('all are back', async () => Object.keys(await agents.assigned()).length === names.length, {
      timeoutMs: 10_000,
    });
    expect(await agents.assigned()).toEqual(before);
  });

  test('a node is deleted', async () => {
    await startOperator();
    await beginRollout();
    await cluster.kubectl(['delete', 'node', 'node-6']);
    await cluster.kubectl(['delete', 'nodeproxy', 'node-6', '--ignore-not-found']);
    await expectDone({ count: names.length - 1 });
  });

  test('the CRDs are deleted and made anew, with another configuration', async () => {
    await startOperator();
    await beginRollout();
    await cluster.kubectl(['delete', '-k', 'crds']);
    await cluster.kubectl(['apply', '-k', 'crds']);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    await waitFor(
      'the API is served again',
      () =>
        cluster.addConfig('all', { ...bit(16), rollout: { maxUnavailable: 1 } } as never).catch(() => false as const),
      { timeoutMs: 10_000 },
    );
    await expectDone({ having: 16 });
  }, 60_000);
});
