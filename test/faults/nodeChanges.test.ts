/**
 * A Node object that gets other addresses, goes and comes back while the machine serves: an agent as a process of its
 * own, the real API server, real rules, traffic. Beside it the real kube-proxy, which ends (1.37).
 */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentNode } from '../agent/agentNode.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { node as nodeObject, service, slice, withoutIdentity } from '../support/objects.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { FaultNode, servesExtraEndpoint, web } from './faultNode.ts';
import { expectFlowUnharmed, expectUnharmed } from './unharmed.ts';

const [first, second] = ['192.168.0.1', '192.168.0.2'];
const ofIPv6 = 'fd00:168::2';
const endpointOfIPv6 = 'fd00:1::1';
const [nodePort, nodePortOfIPv6] = [30_080, 30_081];
const podRange = '10.99.0.0/24';

const moreAddresses = `
ip address add ${second}/24 dev eth0
ip address add ${ofIPv6}/64 dev eth0 nodad
ip address add ${endpointOfIPv6}/128 dev lo nodad`;

function edge(name: string, port: number, families: readonly string[]): object {
  const { spec: _spec, ...rest } = withoutIdentity(service(name)) as { spec: unknown };
  const ports = [{ name: 'http', port: 80, nodePort: port }];
  return { ...rest, spec: { type: 'NodePort', ipFamilies: families, ports } };
}

const objects = [
  edge('edge', nodePort, ['IPv4']),
  edge('edge-six', nodePortOfIPv6, ['IPv6']),
  ...[slice('edge'), slice('edge-six', { addresses: [endpointOfIPv6], addressType: 'IPv6' })].map(withoutIdentity),
];

// The tests follow on one another, on one node.
describeWhere(['root', 'cluster', 'iptables'], 'Agent whose Node changes', () => {
  let host: AgentNode;
  let node: FaultNode;
  let pid: number;
  beforeAll(async () => {
    node = await FaultNode.start();
    ({ host } = node);
    ({ pid } = node.agent);
    await host.run(['sh', '-ec', moreAddresses]);
    await host.apply(...objects);
    await node.configure({ nodePorts: { addresses: ['primary'] } });
    await host.untilRules('the NodePort is served', (rules) => rules.includes(`--dport ${nodePort}`));
  }, 120_000);

  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  /** Whether the NodePort answers at an address of the node within 0.9 s; while there is traffic, for that brings the server. */
  function answers(address: string): Promise<boolean> {
    const port = address === ofIPv6 ? nodePortOfIPv6 : nodePort;
    return host.run(['timeout', '0.9', 'bash', '--norc', '-c', `head -c1 < /dev/tcp/${address}/${port}`]).then(
      (answer) => answer.length === 1,
      () => false,
    );
  }

  async function answering(): Promise<string[]> {
    const all = [first, second, ofIPv6];
    const answered = await Promise.all(all.map(answers));
    return all.filter((_, index) => answered[index]);
  }

  async function setAddresses(...addresses: readonly string[]): Promise<void> {
    const status = { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) };
    const patch = JSON.stringify({ status });
    await host.kubectl(['patch', 'node', host.name, '--subresource=status', '--type=merge', '-p', patch]);
  }

  async function untilAnswering(...addresses: readonly string[]): Promise<void> {
    const isSo = async (): Promise<boolean> => (await answering()).join() === addresses.join();
    await until(`the NodePort answers at ${addresses.join()}`, isSo, 30_000).catch((cause: unknown) => {
      throw new Error(node.agent.log().slice(-3000), { cause });
    });
  }

  const condition = (field: string): Promise<string> =>
    node.status(`{.status.conditions[?(@.type=="NodeKnown")].${field}}`);

  async function untilSaid(reason: string): Promise<void> {
    const isSaid = async (): Promise<boolean> => (await condition('reason')) === reason;
    await until(`NodeKnown says '${reason}'`, isSaid, 30_000).catch((cause: unknown) => {
      throw new Error(node.agent.log().slice(-3000), { cause });
    });
  }

  function expectSameProcess(): void {
    expect(node.agent.pid).toBe(pid);
    process.kill(pid, 0);
    expect(node.agent.log().match(/agent starts/g)).toHaveLength(1);
  }

  test('another address: NodePorts move to it, and no connection to a cluster IP is lost', async () => {
    const outcome = await node.underTraffic(
      async () => {
        await untilAnswering(first);
        await setAddresses(second);
        await untilAnswering(second);
      },
      { connectTo: [web, `${first}:${nodePort}`] },
    );
    expectFlowUnharmed(outcome);
    // Those to the address that serves no NodePort any more.
    expect(Object.keys(outcome.reasons).filter((reason) => !reason.startsWith(`${first}:${nodePort}`))).toEqual([]);
    expect(await node.status('{.status.state}')).toBe('Ready');
    expectSameProcess();
  }, 60_000);

  test('an address of another family comes and goes', async () => {
    const outcome = await node.underTraffic(
      async () => {
        await setAddresses(second, ofIPv6);
        await untilAnswering(second, ofIPv6);
        await setAddresses(second);
        await untilAnswering(second);
      },
      { connectTo: [web, `${second}:${nodePort}`] },
    );
    expectUnharmed(outcome);
    expectSameProcess();
  }, 90_000);

  test('no Node: all that serves goes on, changes are followed, and it is said', async () => {
    const outcome = await node.underTraffic(
      async () => {
        await host.kubectl(['delete', 'node', host.name]);
        await untilSaid('NodeDeleted');
        await node.setExtraEndpoint(true);
        await host.untilRules('a change is followed', servesExtraEndpoint);
        await node.setExtraEndpoint(false);
        await host.untilRules('and the one after it', (rules) => !servesExtraEndpoint(rules));
      },
      { connectTo: [web, `${second}:${nodePort}`] },
    );
    expectUnharmed(outcome);
    expect(await condition('message')).toContain(second);
    expect((await host.get(10_256, '/healthz')).status).toBe(200);
    expectSameProcess();
  }, 60_000);

  test('a Node made anew, which says nothing yet: what was known stays until it does', async () => {
    const { status: _status, ...bare } = withoutIdentity(nodeObject(host.name)) as { status: unknown };
    const outcome = await node.underTraffic(
      async () => {
        await host.apply(bare);
        await untilSaid('NodeIncomplete');
        await untilAnswering(second);
        await setAddresses(second, ofIPv6);
        await untilAnswering(second, ofIPv6);
      },
      { connectTo: [web, `${second}:${nodePort}`] },
    );
    expectUnharmed(outcome);
    await untilSaid('');
    expectSameProcess();
  }, 60_000);

  test('another range of Pods: who is a Pod is told by it', async () => {
    await node.configure({ nodePorts: { addresses: ['primary'] }, localTraffic: { detect: 'NodeCIDR' } });
    await host.kubectl([
      'patch',
      'node',
      host.name,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { podCIDR: podRange, podCIDRs: [podRange] } }),
    ]);
    await host.untilRules('Pods have the range', (rules) => rules.includes(`! -s ${podRange}`));
    await host.kubectl(['delete', 'node', host.name]);
    await untilSaid('NodeDeleted');
    expect(await host.rules()).toContain(`! -s ${podRange}`);
    const other = podRange.replace('99', '98');
    const anew = withoutIdentity(nodeObject(host.name, [first]));
    await host.apply({ ...anew, spec: { podCIDR: other, podCIDRs: [other] } });
    await host.untilRules(
      'Pods have the other range',
      (rules) => rules.includes(`! -s ${other}`) && !rules.includes(podRange),
    );
    expectSameProcess();
  }, 60_000);

  describeWhere(['root'], 'and kube-proxy', () => {
    test.each([
      { what: 'another address', reason: 'NodeIPs changed', change: () => setAddresses(second) },
      { what: 'no Node', reason: 'Node is being deleted', change: () => host.kubectl(['delete', 'node', host.name]) },
    ])(
      'ends at $what',
      async ({ reason, change }) => {
        await node.agent.end('SIGTERM');
        const { 'kube-proxy': program } = await ensureBinaries({ which: ['kube-proxy'] });
        const kubeProxy = host.spawn([
          program,
          `--kubeconfig=${host.server.kubeconfig}`,
          `--hostname-override=${host.name}`,
          '--conntrack-max-per-core=0',
          '--proxy-mode=iptables',
        ]);
        const ended = once(kubeProxy, 'exit') as Promise<[number | null]>;
        let said = '';
        kubeProxy.stderr.on('data', (text: Buffer) => (said += text.toString()));
        try {
          const hasSynced = (): Promise<boolean> =>
            host.get(10_256, '/healthz').then(
              ({ status }) => status === 200,
              () => false,
            );
          await until('kube-proxy serves', hasSynced, 60_000).catch((cause: unknown) => {
            throw new Error(said.slice(-3000), { cause });
          });
          await change();
          const [status] = await ended;
          expect({ status, said }).toEqual({ status: 1, said: expect.stringContaining(reason) });
        } finally {
          kubeProxy.kill('SIGKILL');
        }
      },
      90_000,
    );
  });
});
