/**
 * What administrators and an API server do to a node while it serves: an agent as a process of its own, the real API
 * server, the real iptables, a flow that stays open and new connections all the time. Promised times are awaited three
 * times as long, and what was measured is printed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { scaled } from '../support/scale.ts';
import { FaultNode, fewConnections, isWhole, servesExtraEndpoint } from './faultNode.ts';
import { expectFlowUnharmed, expectUnharmed } from './unharmed.ts';

function printLine(what: string): void {
  process.stdout.write(`${what}\n`);
}

describeWhere(['root', 'cluster', 'iptables'], 'Agent that serves', () => {
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
    printLine(`a new connection was answered ${Math.round(performance.now() - since)} ms after the flush`);
  }

  function hasSyncedSince(line: string): boolean {
    const log = node.agent.log();
    return log.lastIndexOf('"message":"synced"') > log.lastIndexOf(line);
  }

  test('repairs the nat table at once when an administrator flushes it, and open flows go on', async () => {
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
      printLine(`iptables -t nat -F was repaired after ${took.join(', ')} ms`);
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 60_000);

  test('repairs the jumps at once when an administrator flushes the chain that they stand in', async () => {
    const outcome = await node.underTraffic(async () => {
      const flushed = performance.now();
      await node.host.run(['iptables', '-t', 'nat', '-F', 'PREROUTING']);
      const took = await node.host.untilRules(
        'the jump is back',
        (rules) => rules.includes('-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'),
        3000,
      );
      await untilAnswered(flushed);
      printLine(`iptables -t nat -F PREROUTING was repaired after ${took} ms`);
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 60_000);

  test('repairs everything at once when an administrator flushes the ruleset, and the anchor that cannot be flushed stays', async () => {
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
      printLine(`nft flush ruleset was repaired after ${took} ms`);
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 60_000);

  test('reports drift and changes nothing with drift.policy Report, and repairs with Enforce', async () => {
    const outcome = await node.underTraffic(async () => {
      await node.configure({ drift: { policy: 'Report', checkPeriodSeconds: 60 } });
      await node.host.run(['iptables', '-t', 'nat', '-F']);
      await until('it is reported', async () => (await node.status('{.status.state}')) === 'Drifted', 30_000);
      expect(isWhole(await node.host.rules())).toBe(false);
      expect(await node.answers()).toBe(false);
      await node.configure({ drift: { policy: 'Enforce', checkPeriodSeconds: 60 } });
      expect(isWhole(await node.host.rules())).toBe(true);
      await untilAnswered(performance.now());
    }, fewConnections);
    expectFlowUnharmed(outcome);
  }, 90_000);

  test('keeps 50 rules and chains of others byte for byte, whatever happens to the agent', async () => {
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
      await node.setExtraEndpoint(true);
      await node.host.untilRules('a change is followed', servesExtraEndpoint);
      await node.setExtraEndpoint(false);
      await node.host.untilRules('and the next', (all) => !servesExtraEndpoint(all));
    });
    expect(await foreign()).toEqual(before);
    expectUnharmed(outcome);
  }, 90_000);

  test('serves while the API server is away for long, and follows it within 10 s of its return', async () => {
    const { server } = node.host;
    await expectFollowedAfter('is away', { start: () => server.stopServer(), end: () => server.startServer() });
  }, 240_000);

  test('serves while the API server is silent with open watches, and follows it within 10 s of its return', async () => {
    const { server } = node.host;
    await expectFollowedAfter('is silent', {
      start: () => server.signalServer('SIGSTOP'),
      end: () => server.signalServer('SIGCONT'),
    });
  }, 300_000);

  interface Absence {
    readonly start: () => void | Promise<void>;
    readonly end: () => void | Promise<void>;
  }

  /** With FULL=1 longer than the 75 s after which a silent watch is given up. */
  async function expectFollowedAfter(what: string, { start, end }: Absence): Promise<void> {
    const outcome = await node.underTraffic(async () => {
      const before = await node.host.rules();
      await start();
      await sleep(scaled(5000, 90_000));
      expect(await node.host.rules()).toBe(before);
      await end();
      const returned = performance.now();
      await node.setExtraEndpoint(true);
      await node.host.untilRules('the new endpoint is served', servesExtraEndpoint, 30_000);
      printLine(
        `an API server that ${what} was followed ${Math.round(performance.now() - returned)} ms after its return`,
      );
      await node.setExtraEndpoint(false);
      await node.host.untilRules('and is served no more', (rules) => !servesExtraEndpoint(rules), 30_000);
    });
    expectUnharmed(outcome);
  }

  test('lets no interface of the node route localnet, after all that', async () => {
    const settings = (await node.host.run(['sh', '-c', 'grep -H . /proc/sys/net/ipv4/conf/*/route_localnet'])).split(
      '\n',
    );
    expect(settings.map((line) => line.split('/').at(-2))).toEqual(
      expect.arrayContaining(['all', 'default', 'eth0', 'lo']),
    );
    expect(settings.filter((line) => !line.endsWith(':0'))).toEqual([]);
  });
});
