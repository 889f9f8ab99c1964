/**
 * The operator against a real API server: what people write to it, what comes out for nodes, and what is reported back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { findCondition } from '../../src/api/conditions.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { conditionIs, pool } from './clusterFixture.ts';
import { operatorForEachTest } from './startOperator.ts';

describeWhere(['cluster'], 'ProxyConfigOperator on a real API server', () => {
  const operator = operatorForEachTest();
  const { cluster } = operator;

  test('hands each node the configuration of its ProxyConfig, owned by the node', async () => {
    await cluster.addNode('web-1', { pool: 'web' });
    await cluster.addNode('db-1', { pool: 'db' });
    const web = await cluster.addConfig('web', { ...pool('web'), masquerade: { bit: 15, all: false } });
    await cluster.addConfig('db', pool('db'));
    const nodeProxy = await cluster.governedBy('web-1', 'web');
    await cluster.governedBy('db-1', 'db');
    expect(nodeProxy.spec.configRef).toEqual({ name: 'web', uid: web.metadata.uid, generation: 1 });
    expect(nodeProxy.spec.config).toMatchObject({ mode: 'iptables', masquerade: { bit: 15, all: false } });
    expect(nodeProxy.spec.config).not.toHaveProperty('nodeSelector');
    const node = JSON.parse(await cluster.kubectl(['get', 'node', 'web-1', '-o', 'json'])) as {
      metadata: { uid: string };
    };
    expect(nodeProxy.metadata.ownerReferences).toEqual([
      { apiVersion: 'v1', kind: 'Node', name: 'web-1', uid: node.metadata.uid },
    ]);
  });

  test('a setting that the new spec leaves out is gone from the node, too', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('all', { externalIPs: { allowedCIDRs: ['192.0.2.0/24'] } });
    await cluster.nodeProxyThat('node-1', 'allows the CIDR', ({ spec }) => spec.config?.['externalIPs'] !== undefined);
    await cluster.changeConfig('all', { externalIPs: null });
    await cluster.nodeProxyThat('node-1', 'allows none', ({ spec }) => spec.config?.['externalIPs'] === undefined);
  });

  test('nodes without Linux never match', async () => {
    await cluster.addNode('windows-1', { 'kubernetes.io/os': 'windows' });
    await cluster.addConfig('all');
    const { status } = await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True', 'NoNodes'));
    expect(status?.nodes).toMatchObject({ matched: 0, effective: 0 });
    expect(await cluster.nodeProxy('windows-1')).toBeUndefined();
  });

  test('is Ready when every agent says so, and not before', async () => {
    await cluster.addNode('node-1');
    await cluster.addNode('node-2');
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.governedBy('node-2', 'all');
    await cluster.configThat('all', 'reconciles', conditionIs('Reconciling', 'True'));
    await cluster.agentApplies('node-1');
    const half = await cluster.configThat('all', 'counts one', ({ status }) => status?.nodes?.ready === 1);
    expect(half.status?.nodes).toMatchObject({
      matched: 2,
      effective: 2,
      updated: 1,
      ready: 1,
      unavailable: 1,
      failed: 0,
      stale: 0,
    });
    expect(conditionIs('Ready', 'False', 'RollingOut')(half)).toBe(true);
    await cluster.agentApplies('node-2');
    const whole = await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True', 'AllNodesReady'));
    expect(whole.status).toMatchObject({
      observedGeneration: 1,
      modes: { iptables: 2 },
      rollout: { state: 'Complete' },
    });
    expect(
      conditionIs('Reconciling', 'False')(whole) &&
        conditionIs('Degraded', 'False')(whole) &&
        conditionIs('Stalled', 'False')(whole),
    ).toBe(true);
  });

  test('kubectl wait after a change of spec waits for the nodes and does not pass on the old Ready', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.agentApplies('node-1');
    await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True'));
    await cluster.kubectl(['patch', 'pxc', 'all', '--type=merge', '-p', '{"spec":{"masquerade":{"bit":15}}}']);
    const tooEarly = await cluster.server.kubectl(['wait', '--for=condition=Ready', 'pxc/all', '--timeout=1s']);
    expect(tooEarly.exitCode).not.toBe(0);
    await cluster.masquerades('node-1', 15);
    await cluster.agentApplies('node-1');
    await cluster.kubectl(['wait', '--for=condition=Ready', 'pxc/all', '--timeout=10s']);
  });

  test('a higher priority overrides without conflict', async () => {
    await cluster.addNode('node-1', { pool: 'web' });
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.addConfig('web', { ...pool('web'), priority: 10 });
    await cluster.governedBy('node-1', 'web');
    const { status } = await cluster.configThat(
      'all',
      'governs nothing',
      ({ status: now }) => now?.nodes?.effective === 0,
    );
    expect(status?.nodes?.matched).toBe(1);
    expect(findCondition(status?.conditions, 'Conflicted')?.status).toBe('False');
    expect((await cluster.eventsAbout('all')).map(({ reason }) => reason)).not.toContain('Conflicted');
  });

  test('a tie makes the younger Conflicted, with one event that names the winner, and with another once it is resolved', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('a-first');
    await cluster.addConfig('b-second', { masquerade: { bit: 15, all: false } });
    await cluster.governedBy('node-1', 'a-first');
    const loser = await cluster.configThat('b-second', 'is conflicted', conditionIs('Conflicted', 'True'));
    expect(findCondition(loser.status?.conditions, 'Conflicted')?.message).toContain('a-first');
    expect(conditionIs('Ready', 'False', 'Conflicted')(loser)).toBe(true);
    await cluster.labelNode('node-1', { some: 'label' });
    await cluster.changeConfig('b-second', { priority: 1 });
    await cluster.governedBy('node-1', 'b-second');
    await cluster.configThat('b-second', 'is free of conflict', conditionIs('Conflicted', 'False'));
    const assigned = (await cluster.eventsAbout('b-second')).filter(({ reason }) => reason.startsWith('Conflict'));
    expect(assigned.map(({ type, reason }) => `${type} ${reason}`).sort()).toEqual([
      'Normal ConflictResolved',
      'Warning Conflicted',
    ]);
    expect(assigned.find(({ reason }) => reason === 'Conflicted')?.note).toContain('a-first');
  });

  test('a mode that leaves kube-proxy is a condition beside Ready, and one event however often it is reconciled', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('old', { mode: 'ipvs' });
    await cluster.governedBy('node-1', 'old');
    await cluster.agentApplies('node-1');
    const ready = await cluster.configThat('old', 'is ready', conditionIs('Ready', 'True', 'AllNodesReady'));
    expect(findCondition(ready.status?.conditions, 'DeprecatedMode')).toMatchObject({
      status: 'True',
      reason: 'KubeProxyDropsIPVS',
      message: expect.stringMatching(/goes on working here.*1\.40.*1\.43.*nftables/),
    });
    await cluster.changeConfig('old', { masquerade: { bit: 15 } });
    await cluster.masquerades('node-1', 15);
    await cluster.agentApplies('node-1');
    await cluster.configThat('old', 'is ready again', conditionIs('Ready', 'True', 'AllNodesReady'));
    await cluster.changeConfig('old', { mode: 'iptables' });
    await cluster.configThat(
      'old',
      'says nothing of the mode',
      ({ status }) => findCondition(status?.conditions, 'DeprecatedMode') === undefined,
    );
    const events = (await cluster.eventsAbout('old')).filter(({ reason }) => reason === 'DeprecatedMode');
    expect(events.map(({ type, note }) => `${type} ${note}`)).toEqual([
      expect.stringMatching(/^Warning mode ipvs goes on working here/),
    ]);
  });

  test('a changed label moves the node to its new pool', async () => {
    await cluster.addNode('node-1', { pool: 'web' });
    await cluster.addConfig('web', pool('web'));
    await cluster.addConfig('db', pool('db'));
    await cluster.governedBy('node-1', 'web');
    await cluster.labelNode('node-1', { pool: 'db' });
    await cluster.governedBy('node-1', 'db');
    await cluster.configThat('web', 'has no node', ({ status }) => status?.nodes?.effective === 0);
  });

  test('a deleted ProxyConfig hands its nodes on; a node that nothing matches keeps what it has', async () => {
    await cluster.addNode('node-1', { pool: 'web' });
    await cluster.addConfig('all');
    await cluster.addConfig('web', { ...pool('web'), priority: 1 });
    await cluster.governedBy('node-1', 'web');
    await cluster.deleteConfig('web');
    const before = await cluster.governedBy('node-1', 'all');
    await cluster.deleteConfig('all');
    await cluster.addConfig('db', pool('db'));
    await cluster.configThat('db', 'was reconciled', conditionIs('Ready', 'True', 'NoNodes'));
    expect(await cluster.nodeProxy('node-1')).toEqual(before);
  });

  test("a refused mode: not Ready, Stalled, the node and the agent's words in failures", async () => {
    await cluster.addNode('node-1');
    await cluster.addNode('node-2');
    await cluster.addConfig('all', { mode: 'ipvs' });
    for (const node of ['node-1', 'node-2']) {
      await cluster.governedBy(node, 'all');
      await cluster.agentRefuses(node, 'ModeNotSupported', 'the kernel has no ip_vs: load it or use iptables');
    }
    const { status } = await cluster.configThat(
      'all',
      'is refused',
      (config) => conditionIs('Stalled', 'True')(config) && config.status?.nodes?.failed === 2,
    );
    expect(findCondition(status?.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'ModeNotSupported' });
    expect(findCondition(status?.conditions, 'Degraded')).toMatchObject({ status: 'True', reason: 'ModeNotSupported' });
    expect(status?.failures).toMatchObject([
      { node: 'node-1', reason: 'ModeNotSupported', message: 'the kernel has no ip_vs: load it or use iptables' },
      { node: 'node-2', reason: 'ModeNotSupported' },
    ]);
    expect(status).toMatchObject({
      modes: { iptables: 2 },
      nodes: { failed: 2, ready: 0 },
      rollout: { state: 'Failed' },
    });
    expect(columnsOf(await cluster.kubectl(['get', 'pxc', 'all']))).toMatchObject({
      READY: 'False',
      REASON: 'ModeNotSupported',
      FAILURE: 'ModeNotSupported',
    });
    expect(columnsOf(await cluster.kubectl(['get', 'nodeproxy', 'node-1']))).toMatchObject({
      STATE: 'Degraded',
      REASON: 'ModeNotSupported',
    });
  });

  test('an agent whose Pod is not ready makes the ProxyConfig Degraded, not unready', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.agentApplies('node-1');
    await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True'));
    await cluster.setAgentReady('node-1', false);
    const degraded = await cluster.configThat('all', 'is degraded', conditionIs('Degraded', 'True', 'AgentsNotReady'));
    expect(degraded.status?.nodes?.stale).toBe(1);
    expect(conditionIs('Ready', 'True')(degraded)).toBe(true);
  });

  test('paused: nodes keep what they have until it goes on', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.agentApplies('node-1');
    await cluster.configThat('all', 'is ready', conditionIs('Ready', 'True'));
    await cluster.changeConfig('all', { paused: true, masquerade: { bit: 15 } });
    const paused = await cluster.configThat('all', 'is paused', conditionIs('Ready', 'False', 'Paused'));
    expect(paused.status?.rollout?.state).toBe('Paused');
    expect((await cluster.nodeProxy('node-1'))?.spec.config).toMatchObject({ masquerade: { bit: 14 } });
    await cluster.changeConfig('all', { paused: false });
    await cluster.masquerades('node-1', 15);
  });

  test('a ProxyConfig made anew under its name gets a status of its own', async () => {
    await cluster.addNode('node-1');
    for (const _time of ['first', 'second']) {
      await cluster.addConfig('all', pool('none'));
      await cluster.configThat('all', 'was reconciled', conditionIs('Ready', 'True', 'NoNodes'));
      await cluster.deleteConfig('all');
    }
  });

  test('a node made anew under its name gets its NodeProxy as its own', async () => {
    await cluster.addNode('node-1');
    await cluster.addConfig('all');
    await cluster.governedBy('node-1', 'all');
    await cluster.kubectl(['delete', 'node', 'node-1']);
    await cluster.kubectl(['create', '-f', '-'], '{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1"}}');
    const { metadata } = JSON.parse(await cluster.kubectl(['get', 'node', 'node-1', '-o', 'json'])) as {
      metadata: { uid: string };
    };
    await cluster.nodeProxyThat(
      'node-1',
      'is owned by the new node',
      ({ metadata: { ownerReferences } }) => ownerReferences?.[0]?.uid === metadata.uid,
    );
  });

  test('a pause counts while many nodes are still to be assigned', async () => {
    await operator.stop();
    const send: KubeClient['send'] = (method, path, options) =>
      sleep(method === 'PATCH' && path.includes('/nodeproxies/') ? 300 : 0).then(() =>
        cluster.client.send(method, path, options),
      );
    await operator.start({ ...cluster.client, send });
    const names = Array.from({ length: 40 }, (_, index) => `node-${index + 1}`);
    await Promise.all(names.map((name) => cluster.addNode(name)));
    await cluster.addConfig('all', { rollout: { maxUnavailable: '100%' } });
    for (const name of names) await cluster.governedBy(name, 'all');
    await cluster.changeConfig('all', { masquerade: { bit: 15 } });
    const assigned = async (): Promise<number> =>
      (await Promise.all(names.map((name) => cluster.nodeProxy(name)))).filter(
        (nodeProxy) => nodeProxy?.metadata.generation === 2,
      ).length;
    await waitFor('some are assigned', async () => (await assigned()) > 0, { timeoutMs: 10_000, everyMs: 10 });
    await cluster.changeConfig('all', { paused: true });
    await cluster.configThat('all', 'is paused', conditionIs('Ready', 'False', 'Paused'));
    expect(await assigned()).toBeLessThan(names.length);
  });
});

/** The cells of a table of one row, by the heads of their columns; none may be empty. */
function columnsOf(table: string): Record<string, string | undefined> {
  const [heads = [], cells = []] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return Object.fromEntries(heads.map((head, index) => [head, cells[index]]));
}
