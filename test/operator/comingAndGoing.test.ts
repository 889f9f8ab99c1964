/**
 * A rollout on a real API server while one node's agent is ready and not ready by turns and never says what became of
 * its change, and another node is made and deleted all the time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { ServerClock } from '../../src/kube/serverClock.ts';
import { describeWhere } from '../support/requirements.ts';
import { FleetOfAgents } from './fleetOfAgents.ts';
import { operatorForEachTest } from './startOperator.ts';

const names = Array.from({ length: 10 }, (_, index) => `node-${index + 1}`);
const rollout = { maxUnavailable: 1, progressDeadlineSeconds: 30 };
/** How much faster the operator's clock goes: its deadline is over in 3 s. */
const speed = 10;

describeWhere(['cluster'], 'ProxyConfigOperator with nodes that come and go', () => {
  const operator = operatorForEachTest();
  const { cluster } = operator;
  let fleet: FleetOfAgents;
  afterEach(() => fleet?.stop());

  /** Until the signal fires. */
  async function comeAndGo(signal: AbortSignal): Promise<number> {
    let turns = 0;
    for (; !signal.aborted; turns += 1) {
      await cluster.setAgentReady('flipping', turns % 2 === 1);
      if (turns % 2 === 0) await cluster.addNode('spot');
      else await cluster.deleteNode('spot');
      await sleep(300);
    }
    await cluster.deleteNode('spot');
    return turns;
  }

  test('they hold up no other node, fail nothing, and the rollout completes', async () => {
    const clock = new ServerClock().start();
    const began = clock();
    await operator.start(cluster.client, { now: () => began + speed * (clock() - began) });
    fleet = new FleetOfAgents(cluster);
    fleet.start();
    for (const name of ['flipping', ...names]) await cluster.addNode(name);
    await cluster.addConfig('all', { masquerade: { bit: 15, all: false }, rollout });
    await cluster.configThat('all', 'is complete', ({ status }) => status?.rollout?.state === 'Complete');
    for (const name of ['flipping', ...names]) await cluster.masquerades(name, 15);

    fleet.mute.add('flipping');
    const stop = new AbortController();
    const turns = comeAndGo(stop.signal);
    const { metadata } = await cluster.changeConfig('all', { masquerade: { bit: 16, all: false } });
    const started = performance.now();
    const isComplete = ({ status }: ProxyConfig): boolean =>
      status?.observedGeneration === metadata.generation && status?.rollout?.state === 'Complete';
    try {
      const { status } = await cluster.configThat('all', 'is complete', isComplete);
      expect(status?.failures).toBeUndefined();
    } finally {
      stop.abort();
      await turns;
    }
    console.log(`complete after ${Math.round(performance.now() - started)} ms and ${await turns} turns`);
    for (const name of names) await cluster.masquerades(name, 16);
    expect(fleet.maxChanging).toBeLessThanOrEqual(1);
  }, 120_000);
});
