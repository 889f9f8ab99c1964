/**
 * What people and an API server do to a node while it serves: an agent as a process of its own, the real API server,
 * the real iptables, a flow that stays open and new connections all the time. Promised times are awaited three times as
 * long, and what was measured is printed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { scaled } from '../support/scale.ts';
import { FaultNode, fewConnections, isWhole, leadsToGuest } from './faultNode.ts';
import { expectFlowUnharmed, expectUnharmed } from './traffic.ts';

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}

describeWhere(['root', 'cluster', 'iptables'], 'faults on a node that serves', () => {
  let node: FaultNode;
  beforeAll(async () => {
    node = await FaultNode.start();
  }, 120_000);
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  /** Within three times the second that is promised; a try may take nearly one. */
  async function untilAnswered(since: number): Promise<void> {
    await until('new connections are answered again', () => node.answers(), 3000 - (performance.now() - since));
    say(`a new connection was answered ${Math.round(performance.now() - since)} ms after the flush`);
  }

  function hasSyncedSince(line: string): boolean {
    const log = node.agent.log();
    return log.lastIndexOf('"message":"synced"') > log.lastIndexOf(line);
  }

  test('an administrator flushes the nat table: heard and repaired, and open flows notice nothing', async () => {
    const outcome = await node.underTraffic(async () => {
      const took: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        const flushed = performance.now();
        // Also where the agent has not read back yet what it wrote after the flush before.
        await node.host.run(['iptables', '-t', 'nat', '-F']);
        took.push(await node.host.untilRules('the rules are back', isWhole, 3000));
        await untilAnswered(flushed);
      }
      await until('the agent has read them back', () => hasSyncedSince('"message":"sync failed"'), 10_000);
      say(`iptables -t nat -F was repaired after ${took.join(', ')} ms`);
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 60_000);

  test('an administrator flushes everything: heard and repaired, and the anchor that cannot be flushed stood all the time', async () => {
    const outcome = await node.underTraffic(async () => {
      const flushed = performance.now();
      await node.host.run(['nft', 'flush', 'ruleset']);
      expect(await node.host.run(['nft', 'list', 'tables'])).toMatch(/proxyconfig-anchor-held/);
      const took = await node.host.untilRules('the rules are back', isWhole, 3000);
      await untilAnswered(flushed);
      await until(
        'the lasting anchor is back',
        async () => /^table ip proxyconfig-anchor$/m.test(await node.host.run(['nft', 'list', 'tables'])),
        3000,
      );
      say(`nft flush ruleset was repaired after ${took} ms`);
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 60_000);

  test('drift.policy Report tells and touches nothing; Enforce repairs', async () => {
    const outcome = await node.underTraffic(async () => {
      await node.configure({ drift: { policy: 'Report', checkPeriodSeconds: 60 } });
      await node.host.run(['iptables', '-t', 'nat', '-F']);
      await until('it is told', async () => (await node.status('{.status.state}')) === 'Drifted', 30_000);
      expect(isWhole(await node.host.rules())).toBe(false);
      expect(await node.answers()).toBe(false);
      await node.configure({ drift: { policy: 'Enforce', checkPeriodSeconds: 60 } });
      expect(isWhole(await node.host.rules())).toBe(true);
      await untilAnswered(performance.now());
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 90_000);

  test('50 rules and chains of others are byte for byte as before, whatever happens to the agent', async () => {
    const chains = Array.from({ length: 25 }, (_, index) => `OTHERS-${index}`);
    const rules = chains.map(
      (chain, index) =>
        `-A ${chain} -s 203.0.113.${index}/32 -m comment --comment "KUBE-SERVICES? no: of others \\"${index}\\"" -j RETURN`,
    );
    const input = (table: string): string =>
      `*${table}\n${chains.map((chain) => `:${chain} - [0:0]`).join('\n')}\n${rules.join('\n')}\nCOMMIT\n`;
    for (const table of ['nat', 'filter']) await node.host.run(['iptables-restore', '--noflush'], input(table));
    const foreign = async (): Promise<string[]> =>
      (await node.host.rules()).split('\n').filter((line) => line.includes('OTHERS-'));
    const before = await foreign();
    expect(before).toHaveLength(100);
    const outcome = await node.underTraffic(async () => {
      await node.restart('SIGKILL');
      await node.untilSynced();
      await node.host.run(['iptables', '-t', 'nat', '-F', 'KUBE-PROXY-CANARY']);
      await node.untilSynced(2);
      await node.invite(true);
      await node.host.untilRules('a change is followed', leadsToGuest);
      await node.invite(false);
      await node.host.untilRules('and the next', (all) => !leadsToGuest(all));
    });
    expect(await foreign()).toEqual(before);
    expectUnharmed(outcome);
  }, 90_000);

  test('an API server that is away for long costs nothing, and is followed within 10 s of its return', async () => {
    const { server } = node.host;
    await followedAfter('is away', { leave: () => server.stopServer(), comeBack: () => server.startServer() });
  }, 240_000);

  test('an API server that goes silent with open watches costs nothing, and is followed within 10 s of its return', async () => {
    const { server } = node.host;
    await followedAfter('is silent', {
      leave: () => server.signalServer('SIGSTOP'),
      comeBack: () => server.signalServer('SIGCONT'),
    });
  }, 300_000);

  interface Absence {
    readonly leave: () => void | Promise<void>;
    readonly comeBack: () => void | Promise<void>;
  }

  /** With FULL=1 longer than the 75 s after which a silent watch is given up. */
  async function followedAfter(what: string, { leave, comeBack }: Absence): Promise<void> {
    const outcome = await node.underTraffic(async () => {
      const before = await node.host.rules();
      await leave();
      await sleep(scaled(5000, 90_000));
      expect(await node.host.rules()).toBe(before);
      await comeBack();
      const started = performance.now();
      await node.invite(true);
      await node.host.untilRules('the new endpoint is served', leadsToGuest, 30_000);
      say(`an API server that ${what} was followed ${Math.round(performance.now() - started)} ms after its return`);
      await node.invite(false);
      await node.host.untilRules('and is served no more', (rules) => !leadsToGuest(rules), 30_000);
    });
    expectUnharmed(outcome);
  }

  test('no interface of the node routes localnet, after all that', async () => {
    const settings = (await node.host.run(['sh', '-c', 'grep -H . /proc/sys/net/ipv4/conf/*/route_localnet'])).split(
      '\n',
    );
    expect(settings.map((line) => line.split('/').at(-2))).toEqual(
      expect.arrayContaining(['all', 'default', 'eth0', 'lo']),
    );
    expect(settings.filter((line) => !line.endsWith(':0'))).toEqual([]);
  });
});
