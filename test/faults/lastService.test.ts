/**
 * A node of IPv4 that serves a Service of IPv6 for a while: when that is gone, nothing of IPv6 is left, and whatever
 * happens to ip6tables is nothing to the node. With an agent as a process of its own and the real iptables.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { service, slice, withoutIdentity } from '../support/objects.ts';
import { until } from '../support/until.ts';
import { extraEndpoint, FaultNode, servesExtraEndpoint } from './faultNode.ts';

const six = service('six', { clusterIPs: ['fd00:10:96::66'] });
const sliceOfSix = slice('six', { addresses: ['fd00:1::1'], addressType: 'IPv6' });

describeWhere(['root', 'cluster', 'iptables'], 'Agent whose last Service of IPv6 is gone', () => {
  let node: FaultNode;
  /** What the agent finds as /usr/sbin. */
  let programs: string;
  beforeAll(async () => {
    node = await FaultNode.start();
    programs = path.join(node.host.stateDirectory, 'sbin');
    await node.host.run(['sh', '-ec', `mkdir ${programs}; cp -a /usr/sbin/*tables* /usr/sbin/nft ${programs}`]);
    const ownView = `mount --bind ${programs} /usr/sbin; exec "$@"`;
    await node.restart('SIGTERM', {
      wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', ownView, 'sh'],
    });
    await node.configure({});
  }, 150_000);
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  async function rulesOfIPv6(): Promise<string[]> {
    const saved = await node.host.run(['sh', '-c', 'ip6tables-nft-save; ip6tables-legacy-save']);
    return saved.split('\n').filter((line) => line.includes('KUBE-'));
  }

  /** Both variants fail from now on, and nobody else's. */
  async function breakIp6tables(): Promise<void> {
    for (const end of ['', '-save', '-restore'])
      for (const variant of ['', '-nft', '-legacy']) {
        const file = path.join(programs, `ip6tables${variant}${end}`);
        await node.host.run(['rm', '-f', file]);
        await writeFile(file, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      }
  }

  async function untilPrinted(what: string, condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const started = performance.now();
    await until(what, condition, timeoutMs).catch((cause: unknown) => {
      throw new Error(node.agent.log().slice(-3000), { cause });
    });
    process.stdout.write(`${what} after ${Math.round(performance.now() - started)} ms\n`);
  }

  test('takes its rules away, serves the next one, and stays Ready when ip6tables breaks', async () => {
    for (const round of ['first', 'second']) {
      await node.host.apply(...[six, sliceOfSix].map(withoutIdentity));
      const isServed = async (): Promise<boolean> =>
        (await rulesOfIPv6()).some((line) => line.includes('-d fd00:10:96::66/128'));
      await untilPrinted(`the ${round} Service of IPv6 is served`, isServed, 15_000);
      await node.host.kubectl(['delete', 'service', 'six']);
      // 3 s are the agent's wait before it removes anything.
      await untilPrinted(`its rules are gone`, async () => (await rulesOfIPv6()).length === 0, 15_000);
    }
    await breakIp6tables();
    // Two full syncs of what is served: a loop that still ran would fail both.
    for (const masquerade of [
      { bit: 15, all: false },
      { bit: 14, all: false },
    ])
      await node.configure({ masquerade });
    await node.setExtraEndpoint(true);
    await node.host.untilRules(`${extraEndpoint} is served`, servesExtraEndpoint);
    expect(await node.status('{.status.state} {.status.conditions[*].type}')).toBe('Ready Ready');
    expect((await node.host.get(10_256, '/healthz')).status).toBe(200);
    const { body } = await node.host.get(10_249, '/metrics');
    expect(body).toContain('proxyconfig_services{ip_family="IPv6"} 0');
  }, 120_000);

  test('says what is wrong with a Service of IPv6 that comes then, while IPv4 is served', async () => {
    await node.host.apply(...[six, sliceOfSix].map(withoutIdentity));
    const reason = (): Promise<string> => node.status('{.status.conditions[?(@.type=="AllFamilies")].reason}');
    await untilPrinted('it is said', async () => (await reason()) === 'ToolFailed', 45_000);
    await node.setExtraEndpoint(false);
    await node.host.untilRules('IPv4 is served', (rules) => !servesExtraEndpoint(rules));
    await node.host.kubectl(['delete', 'service', 'six']);
    await untilPrinted('it is said no more', async () => (await reason()) === '', 45_000);
  }, 120_000);
});
