/** External and load balancer IPs: whom they reach, and that none of them becomes the node's own. */
import assert from 'node:assert/strict';
import type { RunCommand } from '../../../../src/system/command.ts';
import { addresses, gateways, type Network, podPort } from '../../../support/network.ts';
import { bothProtocols, loadBalancerIP, type ServiceManifest } from '../../../support/serviceManifests.ts';
import type { Check, Node } from './node.ts';
import { nodeWith, syncAll, web } from './node.ts';

const masqueraded = { by: 'podA', seenFrom: gateways.podA.ipv4 };

function asker(network: Network, port: number, protocol: 'TCP' | 'UDP' = 'TCP') {
  return (from: Parameters<Network['ask']>[0], address: string): ReturnType<Network['ask']> =>
    network.ask(from, { protocol, address, port, timeoutMs: 5000 });
}

/** As kube-proxy has it, and agents before ADR 17 had it: the address on the device, virtual servers, rules by set. */
async function makeLocal({ tool }: Pick<Node, 'tool'>, address: string): Promise<void> {
  await tool('ip', ['address', 'add', `${address}/32`, 'dev', 'kube-ipvs0']);
  await tool(
    'ipset',
    ['restore'],
    `create KUBE-LOAD-BALANCER hash:ip,port\nadd KUBE-LOAD-BALANCER ${address},tcp:80\nadd KUBE-LOAD-BALANCER ${address},udp:80\nadd KUBE-IPVS-IPS ${address}\n`,
  );
  const servers = ['-t', '-u'].map(
    (option) => `-A ${option} ${address}:80 -s rr\n-a ${option} ${address}:80 -r ${addresses.podA.ipv4}:8080 -m -w 1\n`,
  );
  await tool('ipvsadm', ['-R'], servers.join(''));
  const balancer = '-m set --match-set KUBE-LOAD-BALANCER dst,dst';
  await tool(
    'iptables-restore',
    ['--noflush'],
    `*filter\n-I KUBE-IPVS-FILTER ${balancer} -j RETURN\n-I INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL\nCOMMIT\n` +
      `*nat\n:KUBE-LOAD-BALANCER -\n-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ\n-I KUBE-SERVICES ${balancer} -j ACCEPT\n-I KUBE-SERVICES ${balancer} -j KUBE-LOAD-BALANCER\nCOMMIT\n`,
  );
}

const balanced = (index: number, pods: ServiceManifest['pods'] = []): ServiceManifest =>
  web(index, {
    ports: bothProtocols,
    pods,
    loadBalancerIP: loadBalancerIP(index),
    spec: { type: 'LoadBalancer' },
  });

export const externalChecks: readonly Check[] = [
  {
    name: "a load balancer has the addresses of all nodes: none of them becomes this node's, and each of them serves",
    run: async (_node, network) => {
      const pods = await network();
      const node = nodeWith(pods.runOnNode);
      const service = web(22, {
        ports: [{ port: 4480, nodePort: 30_081 }],
        pods: ['podA'],
        loadBalancerIP: addresses.node,
        otherBalancerIPs: [addresses.otherNode],
        spec: { type: 'LoadBalancer' },
      });
      await syncAll(node, [service]);
      const device = await node.tool('ip', ['addr', 'show', 'kube-ipvs0']);
      assert.match(device, /inet 10\.96\.0\.22\/32/);
      assert.doesNotMatch(device, /192\.0\.2\./);
      assert.match(await node.tool('ip', ['route', 'get', addresses.otherNode.ipv4]), /dev other /);
      assert.deepEqual(await asker(pods, podPort)('node', addresses.otherNode.ipv4), {
        by: 'otherNode',
        seenFrom: addresses.node.ipv4,
      });
      const ask = asker(pods, 4480);
      assert.deepEqual(await ask('client', addresses.node.ipv4), masqueraded);
      for (const from of ['node', 'podB', 'remotePod'] as const)
        for (const { ipv4 } of [addresses.node, addresses.otherNode])
          assert.deepEqual(await ask(from, ipv4), masqueraded);
    },
  },
  {
    name: 'an address that was local leaves the device, when the rules stand that serve it, and nothing of it stays',
    run: async (_node, network) => {
      const pods = await network();
      const balancer = loadBalancerIP(1).ipv4;
      const published = balanced(1, ['podA']);
      const plain = nodeWith(pods.runOnNode);
      await syncAll(plain, [web(1, { ports: bothProtocols, pods: ['podA'] })]);
      await makeLocal(plain, balancer);
      // By UDP, whose virtual server goes at once: of TCP ip_vs remembers for two minutes that a connection has ended.
      const ask = (): ReturnType<Network['ask']> => asker(pods, 80, 'UDP')('client', balancer);
      assert.deepEqual(await ask(), { by: 'podA', seenFrom: gateways.podA.ipv4 });
      const answers: unknown[] = [];
      // Before and behind each command that may change something.
      const asked: RunCommand = async (command) => {
        const output = await pods.runOnNode(command);
        if (command.input !== undefined) answers.push(await ask());
        return output;
      };
      const node = nodeWith(asked);
      await syncAll(node, [published]);
      assert.ok(answers.length > 3);
      assert.deepEqual(
        answers.filter((answer) => (answer as { by?: string }).by !== 'podA'),
        [],
      );
      assert.equal(await node.backend.findDrift(new AbortController().signal), undefined);
      assert.doesNotMatch(await plain.tool('ip', ['addr', 'show', 'kube-ipvs0']), /203\.0\.113\./);
      assert.doesNotMatch(await plain.tool('ipvsadm', ['-Sn']), /203\.0\.113\./);
      assert.doesNotMatch(await plain.tool('ipset', ['list', '-n']), /LOAD-BALANCER/);
      const rules = await plain.tool('iptables-save', []);
      assert.doesNotMatch(rules, /KUBE-LOAD-BALANCER|-A INPUT -m comment --comment "kube-proxy firewall rules"/);
      assert.match(rules, /-d 203\.0\.113\.1\/32 .* -j KUBE-EXT-/);
      for (const protocol of ['TCP', 'UDP'] as const)
        assert.deepEqual(await asker(pods, 80, protocol)('client', balancer), masqueraded);
    },
  },
  {
    name: 'a hand-over to kube-proxy leaves no refusal that this one would not take back',
    run: async (_node, network) => {
      const pods = await network();
      const node = nodeWith(pods.runOnNode);
      await syncAll(node, [balanced(1, ['podA']), balanced(2)]);
      const ask = asker(pods, 80);
      assert.equal(await ask('client', loadBalancerIP(2).ipv4), 'REFUSED');
      assert.deepEqual(await node.backend.handover?.(), ['nft chain KUBE-EXTERNAL-SERVICES of table filter']);
      assert.deepEqual(await ask('client', loadBalancerIP(1).ipv4), masqueraded);
      assert.doesNotMatch(await node.tool('iptables-save', []), /KUBE-EXTERNAL-SERVICES/);
      assert.deepEqual(await node.backend.handover?.(), []);
    },
  },
  {
    name: 'what was local and nobody wants any more is known without memory: clean-up takes it, sets and all',
    run: async (node) => {
      await syncAll(node, [web(1)]);
      await node.tool('sh', [
        '-ec',
        'ip link add eth0 type dummy; ip addr add 192.168.0.10/24 dev eth0; ip link set eth0 up',
      ]);
      await makeLocal(node, '203.0.113.1');
      await node.tool('ipset', ['add', 'KUBE-LOAD-BALANCER', '192.168.0.10,tcp:80']);
      await node.tool('ipvsadm', ['-A', '-t', '192.168.0.10:80', '-s', 'rr']);
      await nodeWith(node.run).backend.cleanup();
      assert.equal(await node.tool('ipvsadm', ['-Sn']), '');
      assert.equal((await node.tool('ipset', ['list', '-n'])).trim(), '');
      assert.doesNotMatch(await node.tool('iptables-save', []), /KUBE/);
    },
  },
];
