/**
 * How much the operator writes when a lot happens: the status at its interval at most, no event that nobody asked for,
 * and nothing that would stand in the way of who owns the ProxyConfig.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubeClient } from '../../src/kube/client.ts';
import type { ProxyConfigOperator } from '../../src/operator/operator.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { startOperator } from './startOperator.ts';

const statusIntervalMs = 1000;
const names = ['node-1', 'node-2', 'node-3'];

describeWhere(['cluster'], 'ProxyConfigOperator, the pace of writing', () => {
  let cluster: ClusterFixture;
  let operator: ProxyConfigOperator;
  const statusWrites: number[] = [];
  const eventWrites: string[] = [];

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
    const send: KubeClient['send'] = (method, path, options) => {
      if (path.endsWith('/status')) statusWrites.push(performance.now());
      if (path.includes('events.k8s.io'))
        eventWrites.push((options?.body as { reason: string } | undefined)?.reason ?? '');
      return cluster.client.send(method, path, options);
    };
    operator = await startOperator({ ...cluster.client, send }, { statusIntervalMs });
    for (const name of names) await cluster.addNode(name);
    await cluster.addConfig('all', { rollout: { onFailure: 'Continue' } });
    for (const name of names) {
      await cluster.governedBy(name, 'all');
      await cluster.agentApplies(name);
    }
    await waitFor('the event of the complete rollout', async () => eventWrites.includes('RolloutComplete'), {
      timeoutMs: 20_000,
    });
  }, 120_000);
  afterAll(async () => {
    operator?.stop();
    await operator?.stopped();
    await cluster?.stop();
  });

  test('agents that change their minds ten times a second make neither more statuses than one in the interval, nor a single event', async () => {
    statusWrites.length = 0;
    eventWrites.length = 0;
    const until = performance.now() + 5 * statusIntervalMs;
    for (let time = 0; performance.now() < until; time += 1) {
      for (const name of names)
        await (time % 2 === 0
          ? cluster.agentRefuses(name, 'SyncFailed', `for the ${time}th time`)
          : cluster.agentApplies(name));
      await sleep(50);
    }
    const gaps = statusWrites.slice(1).map((at, index) => at - (statusWrites[index] ?? 0));
    expect(statusWrites.length).toBeGreaterThan(2);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(statusIntervalMs - 5);
    expect(eventWrites).toEqual([]);
  });

  test('of a ProxyConfig the operator owns the status alone, and no finalizer holds it', async () => {
    const { metadata } = await cluster.client.get<{
      metadata: {
        finalizers?: string[];
        managedFields: { manager: string; subresource?: string; operation: string; fieldsV1: object }[];
      };
    }>('/apis/proxyconfig.dev/v1alpha1/proxyconfigs/all');
    const own = metadata.managedFields.filter(({ manager }) => manager === 'proxyconfig-operator');
    expect(
      own.map(({ subresource, operation, fieldsV1 }) => ({ subresource, operation, fields: Object.keys(fieldsV1) })),
    ).toEqual([{ subresource: 'status', operation: 'Apply', fields: ['f:status'] }]);
    expect(metadata.finalizers).toBeUndefined();
  });
});
