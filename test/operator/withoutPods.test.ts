/**
 * Agents that run outside of Pods, started by hand or by systemd: their nodes are those of any other agent, on a real
 * API server.
 */
import { expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { conditionIs } from './clusterFixture.ts';
import { operatorForEachTest } from './startOperator.ts';

describeWhere(['cluster'], 'ProxyConfigOperator, of agents without Pods', () => {
  const operator = operatorForEachTest();
  const { cluster } = operator;
  const nodes = ['node-1', 'node-2', 'node-3'];

  test('a change goes through their nodes one after the other, and all are Ready', async () => {
    for (const node of nodes) await cluster.addNodeWithoutPod(node);
    await cluster.addConfig('all', { rollout: { maxUnavailable: 1 } });
    for (const node of nodes) {
      await cluster.governedBy(node, 'all');
      await cluster.agentApplies(node);
    }
    await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True', 'AllNodesReady'));
    await cluster.changeConfig('all', { masquerade: { bit: 15 } });
    for (const node of nodes) {
      await cluster.masquerades(node, 15);
      await cluster.agentApplies(node);
    }
    const { status } = await cluster.configThat('all', 'is ready again', conditionIs('Ready', 'True', 'AllNodesReady'));
    expect(status).toMatchObject({ nodes: { ready: 3, stale: 0 }, rollout: { state: 'Complete' } });
  });

  test('an agent Pod that is there and not ready says that its node is out of reach', async () => {
    await cluster.addNodeWithoutPod('node-1');
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.agentApplies('node-1');
    await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True', 'AllNodesReady'));
    await cluster.addAgentPod('node-1');
    await cluster.setAgentReady('node-1', false);
    await cluster.configThat('all', 'names it', conditionIs('Degraded', 'True', 'AgentsNotReady'));
  });
});
