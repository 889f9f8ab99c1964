/**
 * A ProxyConfig whose status an operator of another version has written, on the simulated cluster.
 */
import { expect, test } from '@jest/globals';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { SimulatedCluster } from './simulatedCluster.ts';

test.each(['Waiting', 'constructor'])('a rollout in the unknown state %s is begun anew, and completes', (state) => {
  const cluster = new SimulatedCluster(3, { masquerade: { bit: 14, all: false } });
  cluster.run(120);
  cluster.changeSpec({ masquerade: { bit: 15, all: false } });
  for (const _time of [1, 2, 3]) cluster.reconcile();
  const { status, ...config } = cluster.config();
  const rollout = { ...status?.rollout, state };
  cluster.configs.set('all', { ...config, status: { ...status, rollout } } as ProxyConfig);
  cluster.run(3000);
  expect({ state: cluster.state, running: new Set(cluster.running()) }).toEqual({
    state: 'Complete',
    running: new Set([15]),
  });
});
