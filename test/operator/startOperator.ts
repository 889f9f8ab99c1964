/**
 * @module The operator of these tests: quick with statuses, and silent.
 */
import type { KubeClient } from '../../src/kube/client.ts';
import { ServerClock } from '../../src/kube/serverClock.ts';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';
import { ProxyConfigOperator } from '../../src/operator/operator.ts';
import { silentLogger } from '../silentLogger.ts';

export function newOperator(client: KubeClient, statusIntervalMs = 50): ProxyConfigOperator {
  return new ProxyConfigOperator({
    client,
    logger: silentLogger,
    metrics: createOperatorMetrics(),
    instance: 'test',
    statusIntervalMs,
    now: new ServerClock().start(),
  });
}

/** Resolves when everything has been listed. */
export async function startOperator(client: KubeClient, statusIntervalMs?: number): Promise<ProxyConfigOperator> {
  const operator = newOperator(client, statusIntervalMs);
  await operator.start();
  return operator;
}

export async function stopOperator(operator: ProxyConfigOperator): Promise<void> {
  operator.stop();
  await operator.stopped();
}
