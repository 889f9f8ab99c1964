/**
 * Operators whose machines' clocks are an hour early and an hour late, and follow each other in the middle of a
 * rollout: leadership, waits, deadlines and pauses are as with right clocks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../support/waitFor.ts';
import { wallClockOff } from '../cluster/wallClock.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { FleetOfAgents } from './fleetOfAgents.ts';
import { firstToLead, OperatorProcesses, type OperatorProcess } from './operatorProcess.ts';

const hour = 3600;
const names = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];
const silentNode = 'silent-1';
const minReadyMs = 1000;
const deadlineMs = 30_000;
const pauseMs = 60_000;
const bit = (value: number) => ({ masquerade: { bit: value } });

describeWhere(['cluster', 'faketime'], 'ProxyConfigOperator with clocks that are an hour off', () => {
  let cluster: ClusterFixture;
  let operators: OperatorProcesses;
  let agents: FleetOfAgents;

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
    operators = await OperatorProcesses.build();
    agents = new FleetOfAgents(cluster);
    for (const name of names) await cluster.addNode(name, { pool: 'all' });
    await cluster.addNode(silentNode, { pool: 'silent' });
    const rollout = {
      maxUnavailable: 1,
      minReadySeconds: minReadyMs / 1000,
      progressDeadlineSeconds: deadlineMs / 1000,
    };
    for (const pool of ['all', 'silent'])
      await cluster.addConfig(pool, { nodeSelector: { matchLabels: { pool } }, rollout });
    agents.start();
  }, 120_000);
  afterAll(async () => {
    await agents?.stop();
    await operators?.stop();
    await cluster?.stop();
  });

  const start = (secondsOff: number): Promise<OperatorProcess> =>
    operators.start(cluster.server.kubeconfig, secondsOff === 0 ? {} : wallClockOff(secondsOff));
  const isIn = (config: string, state: string, timeoutMs: number): Promise<unknown> =>
    waitFor(
      `${config} is ${state}`,
      async () => {
        const { metadata, status } = await cluster.config(config);
        return status?.observedGeneration === metadata.generation && status?.rollout?.state === state;
      },
      { timeoutMs },
    );

  test('a rollout under three leaders: nobody takes the Lease of one that renews it, and waits, deadline and pause are as long as they should be', async () => {
    const late = await start(-hour);
    await late.takesTheLead(10_000);
    expect(late.log).toContain(new Date(Date.now() - hour * 1000).toISOString().slice(0, 13));
    const early = await start(hour);
    const right = await start(0);
    await isIn('silent', 'Complete', 20_000);
    agents.mute.add(silentNode);
    const assignedAt = performance.now();
    await cluster.changeConfig('silent', bit(15));
    await cluster.masquerades(silentNode, 15);
    await isIn('silent', 'RollingBack', deadlineMs + 20_000);
    expect(performance.now() - assignedAt).toBeGreaterThanOrEqual(deadlineMs);
    // Meanwhile more than the Lease's time has gone by.
    expect([late, early, right].map((operator) => operator.count('leads'))).toEqual([1, 0, 0]);
    await right.end('SIGTERM');

    agents.maxChanging = 0;
    await isIn('all', 'Complete', 20_000);
    const steps = [{ setNodes: 2 }, { pause: { seconds: pauseMs / 1000 } }];
    await cluster.changeConfig('all', { ...bit(15), rollout: { steps } });
    await isIn('all', 'Paused', 20_000);
    const pausedAt = performance.now();
    const written = Date.parse((await cluster.config('all')).status?.rollout?.stepStartedAt ?? '');
    expect(Math.abs(written - Date.now())).toBeLessThan(60_000);

    await replaced(late, early);
    await cluster.changeConfig('silent', bit(16));
    await cluster.masquerades(silentNode, 16);
    const next = await start(0);
    await sleep(3000);
    expect((await cluster.config('silent')).status?.rollout?.state).toBe('Progressing');
    expect(agents.running(15)).toBe(2);

    await replaced(early, next);
    await isIn('all', 'Complete', pauseMs + 20_000);
    const reports = agents.reports.filter((report) => report.bit === 15).map(({ at }) => at);
    expect(reports).toHaveLength(names.length);
    expect((reports[2] ?? 0) - pausedAt).toBeGreaterThan(pauseMs - 5000);
    expect(Math.min(...reports.slice(1).map((at, index) => at - (reports[index] ?? 0)))).toBeGreaterThanOrEqual(
      minReadyMs,
    );
    expect(agents.maxChanging).toBe(1);
  }, 240_000);
});

/** The second one takes over from the first, which is killed. */
async function replaced(leader: OperatorProcess, follower: OperatorProcess): Promise<void> {
  const killedAt = performance.now();
  await leader.end('SIGKILL');
  await firstToLead([follower]);
  expect(performance.now() - killedAt).toBeLessThan(20_000);
}
