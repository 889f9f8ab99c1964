/**
 * An API server that asks to be left alone: the operator does, although there is much to assign and something changes
 * all the time, and then goes on.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import type { ProxyConfigOperator } from '../../src/operator/operator.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { Gateway, retryAfterSeconds } from './gateway.ts';
import { startOperator } from './startOperator.ts';

const names = Array.from({ length: 30 }, (_, index) => `node-${index + 1}`);
/** How many writes the operator has under way at a time. */
const concurrentWrites = 8;

describeWhere(['cluster'], 'ProxyConfigOperator on an overloaded API server', () => {
  let cluster: ClusterFixture;
  let gateway: Gateway;
  let client: KubeClient;
  let operator: ProxyConfigOperator;

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
    gateway = await Gateway.open(cluster.server.kubeconfig);
    client = createKubeClient(loadKubeConfig({ kubeconfig: gateway.kubeconfig }));
    for (const name of names) await cluster.addNode(name);
    operator = await startOperator(client);
  }, 120_000);
  afterAll(async () => {
    operator?.stop();
    await operator?.stopped();
    await client?.close();
    await gateway?.close();
    await cluster?.stop();
  });

  test('429 ends the reconciliation, and what changes meanwhile begins no other before Retry-After', async () => {
    gateway.overload((path) => path.includes('/nodeproxies'));
    await cluster.addConfig('all');
    const attempts = (): number[] =>
      gateway.refusedAt.filter((at, index) => at - (gateway.refusedAt[index - 1] ?? -Infinity) > 1000);
    const changes = setInterval(
      () => void cluster.labelNode('node-1', { changes: String(performance.now() | 0) }),
      100,
    );
    await waitFor('the second attempt is refused', async () => attempts().length > 1, { timeoutMs: 20_000 }).finally(
      () => clearInterval(changes),
    );
    const [first = 0, second = 0] = attempts();
    console.log(`attempts ${Math.round(second - first)} ms apart, ${gateway.refusedAt.length} requests refused`);
    expect(second - first).toBeGreaterThanOrEqual(retryAfterSeconds * 1000);
    expect(gateway.refusedAt.filter((at) => at < second).length).toBeLessThanOrEqual(concurrentWrites);
    gateway.overload(undefined);
    for (const name of names) await cluster.governedBy(name, 'all');
  }, 60_000);
});
