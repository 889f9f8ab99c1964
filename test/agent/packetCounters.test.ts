/**
 * The metrics of rules and packets, compared with the rules that the kernel holds and with packets that were sent.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { AgentNode, type AgentProcess } from './agentNode.ts';
import { node, service, slice, withoutIdentity } from '../support/objects.ts';

const network = (peer: number): string => `
ip link add eth0 type veth peer name eth1
ip link add to-peer type veth peer name eth0 netns ${peer}
for link in eth0 eth1 to-peer; do ip link set $link up; done
ip address add 192.168.0.1/24 dev eth0; ip address add fd00:168::1/64 dev eth0 nodad
ip address add 10.9.0.1/24 dev to-peer; ip address add fd00:9::1/64 dev to-peer nodad
echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
nsenter -t ${peer} -n sh -ec 'ip link set eth0 up
ip address add 10.9.0.2/24 dev eth0; ip address add fd00:9::2/64 dev eth0 nodad
ip route add default via 10.9.0.1; ip -6 route add default via fd00:9::1'`;

/** Replies to echo requests that nobody sent belong to no connection. */
const unsolicitedReplies = `
import socket, struct, sys
family, destination, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
v6 = family == 'IPv6'
sender = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
for number in range(count):
    kind = 129 if v6 else 0
    words = struct.unpack('!4H', struct.pack('!BBHHH', kind, 0, 0, 7, number))
    total = sum(words)
    checksum = ~((total & 0xffff) + (total >> 16)) & 0xffff
    sender.sendto(struct.pack('!BBHHH', kind, 0, checksum, 7, number), (destination, 0))
`;

describeWhere(['root', 'cluster', 'iptables'], 'Agent metrics', () => {
  let host: AgentNode;
  let agent: AgentProcess;
  let holder: ChildProcess;
  let peer = 0;

  beforeAll(async () => {
    host = await AgentNode.start();
    const started = host.spawn(['unshare', '--net', 'sh', '-c', 'echo $$; exec cat']);
    holder = started;
    peer = Number(String((await once(started.stdout, 'data'))[0]));
    await host.run(['sh', '-ec', network(peer)]);
    await host.apply(...[dualStackNode(host.name), service('web'), slice('web')].map(withoutIdentity));
    agent = host.startAgent();
    await until('both families have synced', () => agent.log().split('"message":"synced"').length > 2, 30_000);
  }, 120_000);
  afterAll(async () => {
    holder?.kill('SIGKILL');
    await host?.stop();
  }, 30_000);

  async function metric(name: string, labels: string): Promise<number> {
    const { body } = await host.get(10_249, '/metrics');
    const line = body.split('\n').find((each) => each.startsWith(`${name}${labels} `));
    return Number(line?.split(' ').at(-1));
  }

  const ofTable = (name: string, table: string): Promise<number> =>
    metric(`kubeproxy_sync_proxy_rules_iptables_${name}`, `{ip_family="IPv4",table="${table}"}`);
  const dropped = (family: string): Promise<number> =>
    metric('kubeproxy_iptables_ct_state_invalid_dropped_packets_total', `{ip_family="${family}"}`);
  const send = (family: string, destination: string, count: number): Promise<string> =>
    host.run([
      'nsenter',
      '-t',
      String(peer),
      '-n',
      'python3',
      '-c',
      unsolicitedReplies,
      family,
      destination,
      String(count),
    ]);

  async function rulesIn(table: string): Promise<readonly string[]> {
    const saved = await host.run(['iptables-save', '-t', table]);
    return saved.split('\n').filter((line) => line.startsWith('-A '));
  }

  test('count the rules in the kernel, and those that the last sync wrote', async () => {
    for (const table of ['nat', 'filter', 'mangle']) {
      const rules = await rulesIn(table);
      expect(await ofTable('total', table)).toBe(rules.filter((rule) => rule.startsWith('-A KUBE-')).length);
      expect(await ofTable('last', table)).toBe(rules.length);
    }
    await host.apply(withoutIdentity(slice('web', { addresses: ['10.1.0.2'] })));
    await host.untilRules('the new endpoint is served', (rules) => rules.includes('--to-destination 10.1.0.2:8080'));
    // A chain of the endpoint with its masquerading and its DNAT, and the Service's one rule that leads there.
    await until('it is counted', async () => (await ofTable('last', 'nat')) === 3);
    expect(await ofTable('last', 'filter')).toBe(0);
    expect(await ofTable('total', 'nat')).toBe(
      (await rulesIn('nat')).filter((rule) => rule.startsWith('-A KUBE-')).length,
    );
  }, 60_000);

  test('count packets of no connection, also when the rule that counts them was written anew', async () => {
    expect([await dropped('IPv4'), await dropped('IPv6')]).toEqual([0, 0]);
    await send('IPv4', '192.168.0.99', 7);
    await send('IPv6', 'fd00:168::99', 5);
    expect([await dropped('IPv4'), await dropped('IPv6')]).toEqual([7, 5]);
    await host.run(['iptables', '-F', 'KUBE-FORWARD']);
    await host.run(['iptables', '-t', 'nat', '-F', 'KUBE-PROXY-CANARY']);
    await host.untilRules('it is repaired', (rules) => rules.includes('--ctstate INVALID -j DROP'));
    expect([await dropped('IPv4'), await dropped('IPv6')]).toEqual([7, 5]);
    await send('IPv4', '192.168.0.99', 2);
    expect([await dropped('IPv4'), await dropped('IPv6')]).toEqual([9, 5]);
  }, 60_000);

  test('have the counter of NodePorts of the loopback address', async () => {
    expect(await metric('kubeproxy_iptables_localhost_nodeports_accepted_packets_total', '')).toBe(0);
  });
});

function dualStackNode(name: string): object {
  const addresses = [
    { type: 'InternalIP', address: '192.168.0.1' },
    { type: 'ExternalIP', address: 'fd00:168::1' },
  ];
  return { ...node(name), status: { addresses } };
}
