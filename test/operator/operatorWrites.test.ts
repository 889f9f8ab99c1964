/**
 * What the operator writes to a real API server and when: nothing on old or partial knowledge, nothing that nobody
 * asked for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { isConflict } from '../../src/kube/apiError.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { resolveTargets } from '../../src/operator/rollout/resolve.ts';
import { controllerRevisionsPath } from '../../src/operator/rollout/revisions.ts';
import { nodeWrite, type NodeWrite } from '../../src/operator/writes/nodeWrite.ts';
import { writeNodes } from '../../src/operator/writes/writeNodes.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { conditionIs, pool } from './clusterFixture.ts';
import { operatorForEachTest } from './startOperator.ts';

describeWhere(['cluster'], "ProxyConfigOperator's writes", () => {
  const operator = operatorForEachTest();
  const { cluster } = operator;

  test('a new priority costs no write to any node', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('all');
    const before = await cluster.governedBy('node-1', 'all');
    await cluster.changeConfig('all', { priority: 7 });
    await cluster.configThat('all', 'was reconciled', ({ status }) => status?.observedGeneration === 2);
    expect(await cluster.nodeProxy('node-1')).toEqual(before);
  });

  test('a write that was decided on old knowledge is refused instead of undoing a newer one', async () => {
    await cluster.addNode('node-1');
    const config = await cluster.addConfig('all');
    const old = await cluster.governedBy('node-1', 'all');
    await cluster.changeConfig('all', { masquerade: { bit: 15 } });
    const newer = await cluster.masquerades('node-1', 15);
    const node = { name: 'node-1', uid: old.metadata.ownerReferences?.[0]?.uid ?? '', labels: {}, ready: true };
    const [target] = resolveTargets({ nodes: new Map([['node-1', node]]), configs: new Map([['all', config]]) });
    const writes = target ? [nodeWrite(node, target, old)] : [];
    const send = ({ method, path, options }: NodeWrite): Promise<void> => cluster.client.send(method, path, options);
    const refused: unknown = await writeNodes(writes, { send, concurrency: 1, maxMs: 1000 }).catch(
      (error: unknown) => error,
    );
    expect(isConflict(refused)).toBe(true);
    expect(await cluster.nodeProxy('node-1')).toEqual(newer);
  });

  test('an agent may report before the operator has the response to its own write', async () => {
    await operator.stop();
    await cluster.addNode('node-1');
    await operator.start({
      ...cluster.client,
      send: async (method, path, options) => {
        const written = await cluster.client.send(method, path, options);
        if (!path.includes('/nodeproxies')) return written as never;
        await cluster.agentApplies('node-1');
        // Longer than a watch takes.
        await sleep(300);
        return written as never;
      },
    });
    await cluster.addConfig('all');
    await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True', 'AllNodesReady'));
  });

  test('no node waits for an event', async () => {
    await operator.stop();
    await cluster.addNode('node-1');
    const gate = Promise.withResolvers<void>();
    const held: string[] = [];
    await operator.start({
      ...cluster.client,
      send: async (method, path, options) => {
        if (path.includes('/events')) {
          held.push(JSON.stringify(options?.body));
          await gate.promise;
        }
        return cluster.client.send(method, path, options);
      },
    });
    await cluster.applyService('web', []);
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.agentLeavesOut('node-1', [{ namespace: 'default', name: 'web', reason: 'KernelRefused' }]);
    await waitFor('both events wait', async () => held.length === 2, { timeoutMs: 10_000 });
    await cluster.changeConfig('all', { masquerade: { bit: 15 } });
    await cluster.masquerades('node-1', 15);
    gate.resolve();
  });

  test('writes nothing before everything has been listed', async () => {
    await operator.stop();
    await cluster.addNode('node-1');
    await cluster.addConfig('all');
    const gate = Promise.withResolvers<void>();
    const events: string[] = [];
    const client: KubeClient = {
      ...cluster.client,
      list: async (path, query, options) => {
        if (path.endsWith('/nodeproxies')) await gate.promise;
        events.push(`listed ${path}`);
        return cluster.client.list(path, query, options);
      },
      send: (method, path, options) => {
        events.push(`${method} ${path}`);
        return cluster.client.send(method, path, options);
      },
    };
    const started = operator.start(client);
    await waitFor('all other lists', async () => events.length === 5, { timeoutMs: 10_000 });
    // Longer than the operator debounces changes.
    await sleep(200);
    expect(events.filter((event) => !event.startsWith('listed'))).toEqual([]);
    gate.resolve();
    await started;
    await cluster.governedBy('node-1', 'all');
  });

  test('a restarted operator writes nothing when nothing has changed', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('a-first');
    await cluster.addConfig('b-second');
    await cluster.governedBy('node-1', 'a-first');
    await cluster.agentApplies('node-1');
    await cluster.configThat('a-first', 'is ready', conditionIs('Ready', 'True'));
    await cluster.configThat('b-second', 'is conflicted', conditionIs('Conflicted', 'True'));
    await operator.stop();
    const written: string[] = [];
    await operator.start({
      ...cluster.client,
      send: (method, path, options) => {
        written.push(path);
        return cluster.client.send(method, path, options);
      },
    });
    // The operator has finished a whole reconciliation when it has written the status of a change after its start.
    await cluster.addConfig('later', pool('none'));
    await cluster.configThat('later', 'was reconciled', conditionIs('Ready', 'True', 'NoNodes'));
    expect(written).toEqual([controllerRevisionsPath, '/apis/proxyconfig.dev/v1alpha1/proxyconfigs/later/status']);
  });

  test.each([
    { name: 'client-side', flags: [] },
    { name: 'server-side', flags: ['--server-side'] },
  ])('kubectl diff is empty after a $name apply', async ({ flags }) => {
    const manifest =
      '{"apiVersion":"proxyconfig.dev/v1alpha1","kind":"ProxyConfig","metadata":{"name":"all"},"spec":{"mode":"iptables"}}';
    await cluster.kubectl(['apply', ...flags, '-f', '-'], manifest);
    await cluster.configThat('all', 'was reconciled', conditionIs('Ready', 'True'));
    expect(await cluster.kubectl(['diff', ...flags, '-f', '-'], manifest)).toBe('');
  });
});
