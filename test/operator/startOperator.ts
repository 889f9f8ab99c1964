/**
 * @module The operator of these tests: quick with statuses, and silent unless a test listens.
 */
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import type { KubeClient } from '../../src/kube/client.ts';
import { ServerClock } from '../../src/kube/serverClock.ts';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';
import { type OperatorOptions, ProxyConfigOperator } from '../../src/operator/operator.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { ClusterFixture } from './clusterFixture.ts';

export function newOperator(client: KubeClient, options: Partial<OperatorOptions> = {}): ProxyConfigOperator {
  return new ProxyConfigOperator({
    client,
    logger: silentLogger,
    metrics: createOperatorMetrics(),
    instance: 'test',
    statusIntervalMs: 50,
    now: new ServerClock().start(),
    ...options,
  });
}

/** Resolves when everything has been listed. */
export async function startOperator(
  client: KubeClient,
  options?: Partial<OperatorOptions>,
): Promise<ProxyConfigOperator> {
  const operator = newOperator(client, options);
  await operator.start();
  return operator;
}

export async function stopOperator(operator: ProxyConfigOperator): Promise<void> {
  operator.stop();
  await operator.stopped();
}

/** One operator at a time on a cluster. */
export class OperatorOnCluster {
  readonly cluster = new ClusterFixture();
  #operator: ProxyConfigOperator | undefined;

  /** In place of the one before; resolves when everything has been listed. */
  async start(client: KubeClient = this.cluster.client, options?: Partial<OperatorOptions>): Promise<void> {
    await this.stop();
    this.#operator = newOperator(client, options);
    await this.#operator.start();
  }

  async stop(): Promise<void> {
    if (this.#operator !== undefined) await stopOperator(this.#operator);
    this.#operator = undefined;
  }
}

/** For a `describe`: one cluster for all its tests, and for each an operator that has nothing to do yet. */
export function operatorForEachTest(): OperatorOnCluster {
  const operator = new OperatorOnCluster();
  const { cluster } = operator;
  beforeAll(() => cluster.start(), 120_000);
  afterAll(() => cluster.stop());
  beforeEach(() => operator.start());
  afterEach(async () => {
    await operator.stop();
    await cluster.clear();
  });
  return operator;
}
