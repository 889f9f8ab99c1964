/**
 * A leader that is frozen in the middle of assigning nodes, while another leads and changes what they are assigned:
 * neither what it had sent before, and arrives late, nor what it does when it goes on may undo that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { FleetOfAgents } from './fleetOfAgents.ts';
import { Gateway } from './gateway.ts';
import { OperatorProcesses } from './operatorProcess.ts';

const frozenForMs = 30_000;
/** More than the operator writes at a time, so that it has some of them still to send when it is frozen. */
const names = Array.from({ length: 12 }, (_, index) => `node-${index + 1}`);
const writtenAtOnce = 8;
const bit = (value: number) => ({ masquerade: { bit: value } });

describeWhere(['cluster'], 'LeaderElection, a leader that was frozen for 30 s', () => {
  let cluster: ClusterFixture;
  let operators: OperatorProcesses;
  let gateway: Gateway;
  let agents: FleetOfAgents;

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
    operators = await OperatorProcesses.build();
    gateway = await Gateway.open(cluster.server.kubeconfig);
    agents = new FleetOfAgents(cluster);
    for (const name of names) await cluster.addNode(name);
    await cluster.addConfig('all', { rollout: { maxUnavailable: '100%' } });
    agents.start();
  }, 120_000);
  afterAll(async () => {
    await agents?.stop();
    await operators?.stop();
    await gateway?.close();
    await cluster?.stop();
  });

  const allRun = (value: number): Promise<unknown> =>
    waitFor(`all run bit ${value}`, async () => agents.running(value) === names.length, { timeoutMs: 30_000 });
  const everything = async (): Promise<unknown> => [
    await cluster.config('all'),
    ...(await Promise.all(names.map((name) => cluster.nodeProxy(name)))),
  ];

  test('writes nothing that undoes what its successor has done', async () => {
    const frozen = await operators.start(gateway.kubeconfig);
    await frozen.takesTheLead(10_000);
    await allRun(14);
    const successor = await operators.start(cluster.server.kubeconfig);

    gateway.hold((path) => path.includes('/nodeproxies/'));
    await cluster.changeConfig('all', bit(15));
    await waitFor('it is writing NodeProxies', async () => gateway.held === writtenAtOnce, {
      timeoutMs: 10_000,
      everyMs: 10,
    });
    frozen.signal('SIGSTOP');
    const goesOnAt = performance.now() + frozenForMs;
    const before = gateway.writes.length;

    await successor.takesTheLead(20_000);
    await allRun(15);
    await cluster.changeConfig('all', bit(16));
    await allRun(16);
    const settled = await cluster.configThat(
      'all',
      'is complete',
      ({ metadata, status }) =>
        status?.observedGeneration === metadata.generation && status?.rollout?.state === 'Complete',
    );
    expect(settled.status?.nodes?.ready).toBe(names.length);
    const left = await everything();

    await sleep(goesOnAt - performance.now());
    gateway.release();
    await waitFor(
      'what it had sent is answered',
      async () => gateway.held === 0 && gateway.writes.length === before + writtenAtOnce,
      { timeoutMs: 10_000 },
    );
    frozen.signal('SIGCONT');
    await waitFor('it steps down', async () => frozen.says('leads no longer'), {
      timeoutMs: 10_000,
      explain: () => frozen.log,
    });
    const asked = gateway.requests;
    await waitFor('it follows', async () => gateway.requests > asked, { timeoutMs: 10_000 });

    expect(gateway.writes.slice(before).map(({ status }) => status)).toEqual(
      Array.from({ length: writtenAtOnce }, () => 409),
    );
    expect(await everything()).toEqual(left);
    expect(successor.leads()).toBe(true);
  }, 120_000);
});
