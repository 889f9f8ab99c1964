/**
 * A node on which another program's nft is newer than the agent's: that program's table stays as it is, and the agent
 * serves, holds its anchors and hears a flush, whichever tools it has. What an older nft dies of is not tried.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FaultNode, fewConnections, isWhole } from '../faults/faultNode.ts';
import { expectFlowUnharmed } from '../faults/unharmed.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { inRoot, toolsRoot } from './toolsRoot.ts';

/** Which Debian 12's nft reads: the first test asks it. */
const table = `
table inet others {
  set blocked { typeof ip saddr; elements = { 203.0.113.1, 203.0.113.2 }; }
  set ports { typeof tcp dport; elements = { 2049, 6000 }; }
  chain input {
    type filter hook input priority filter + 10; policy accept;
    ip saddr @blocked drop
    tcp dport @ports counter drop
  }
}
`;

describeWhere(['root', 'cluster', 'iptables', 'debian'], 'Agent beside a table of a newer nft', () => {
  let node: FaultNode;
  let root: string;
  beforeAll(async () => {
    root = await toolsRoot();
    node = await FaultNode.start();
    await newerNft(['-f', '-'], table);
  }, 600_000);
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  /** The image's. */
  function newerNft(args: readonly string[], input = ''): Promise<string> {
    return node.host.run([...inRoot(root), 'nft', ...args], input);
  }

  function listTable(): Promise<string> {
    return newerNft(['list', 'table', 'inet', 'others']);
  }

  async function expectServing(): Promise<void> {
    expect(await node.status('{.status.state}')).toBe('Ready');
    expect(await node.status('{.status.conditions[*].type}')).toBe('Ready');
    expect(await node.answers()).toBe(true);
    const tables = (await newerNft(['list', 'tables'])).split('\n');
    for (const ip of ['ip', 'ip6'])
      expect(tables).toEqual(
        expect.arrayContaining([`table ${ip} proxyconfig-anchor`, `table ${ip} proxyconfig-anchor-held`]),
      );
  }

  test("is one that the machine's nft lists", async () => {
    expect(await node.host.run(['nft', 'list', 'table', 'inet', 'others'])).toContain('203.0.113.1, 203.0.113.2');
  });

  describe.each([
    { tools: "the machine's tools", enter: () => [] },
    { tools: "the image's tools", enter: () => inRoot(root) },
  ])('with $tools', ({ enter }) => {
    test('serves, keeps its anchors and hears a flush, and the table stays byte for byte', async () => {
      const before = await listTable();
      const outcome = await node.underTraffic(async () => {
        await node.restart('SIGTERM', { wrapper: enter() });
        await node.configure({});
        await until('the anchors are held', async () =>
          (await newerNft(['list', 'tables'])).includes('ip6 proxyconfig-anchor-held'),
        );
        await expectServing();
        await node.host.run(['iptables', '-t', 'nat', '-F']);
        const took = await node.host.untilRules('the rules are back at once', isWhole, 5000);
        process.stdout.write(`a flush beside a table of a newer nft was repaired after ${took} ms\n`);
        await until('the node is Ready again', async () => (await node.status('{.status.state}')) === 'Ready', 30_000);
        await until('new connections are answered', () => node.answers());
        await expectServing();
      }, fewConnections);
      expectFlowUnharmed(outcome);
      expect(await listTable()).toBe(before);
    }, 180_000);
  });
});
