/**
 * What ipvs mode does to a kernel that has ip_vs, check by check. They run inside the kernel under test (inKernel.ts), each on a node of its own.
 */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { Backend } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { renderIpvs } from '../../../src/backend/ipvs/render.ts';
import { ipFamilies } from '../../../src/model/ipFamily.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import type { RunCommand } from '../../../src/system/command.ts';
import { CommandError, findProgram } from '../../../src/system/command.ts';
import type { ServiceManifest } from '../../scenarios/objects.ts';
import { clusterIP, defaultConfig, stateOf } from '../../scenarios/objects.ts';
import type { Network } from '../../scenarios/network.ts';
import { createEmptyNode } from '../../scenarios/network.ts';

export interface Node {
  readonly backend: Backend;
  readonly run: RunCommand;
  /** Runs a program with standard input, and gives what it prints. */
  readonly tool: (name: string, args: readonly string[], input?: string) => Promise<string>;
}

export interface Check {
  readonly name: string;
  /** The network has pods and outlives the check: a check that uses it runs a full sync first, which takes away what another has left. */
  readonly run: (node: Node, network: () => Promise<Network>) => Promise<void>;
}

const { signal } = new AbortController();
const tcp = [{ port: 80 }];
const web = (index: number, rest: Partial<ServiceManifest> = {}): ServiceManifest => ({ name: `web-${index}`, clusterIP: clusterIP(index), ports: tcp, pods: ['podA', 'remotePod'], ...rest });

function ipvsState(services: readonly ServiceManifest[], config: Partial<NodeConfig> = {}): ServiceState {
  return stateOf('ipv4', services, { mode: 'ipvs', ...config });
}

function nodeWith(run: RunCommand): Node {
  const tool = async (name: string, args: readonly string[], input = ''): Promise<string> => run({ file: (await findProgram(name)) ?? name, args, input: [input], timeoutMs: 30_000 });
  return { backend: createBackend('ipvs', 'ipv4', { run }), run, tool };
}

export async function onEmptyNode(check: (node: Node) => Promise<void>): Promise<void> {
  const { runOnNode, close } = createEmptyNode();
  const node = nodeWith(runOnNode);
  try {
    // Where no address at all is local, the kernel takes every real server's address for a broadcast one and refuses it.
    await node.tool('ip', ['link', 'set', 'lo', 'up']);
    await check(node);
  } finally {
    await close();
  }
}

async function syncAll({ backend }: Pick<Node, 'backend'>, services: readonly ServiceManifest[], config: Partial<NodeConfig> = {}): ReturnType<Backend['sync']> {
  return backend.sync({ state: ipvsState(services, config), changed: 'all', signal });
}

/** Everything that any mode could have left. */
async function leftovers({ tool }: Node): Promise<string> {
  const rules = (await tool('iptables-save', [])).split('\n').filter((line) => line.includes('KUBE'));
  const devices = (await tool('ip', ['-o', 'link', 'show'])).split('\n').filter((line) => line.includes('kube'));
  return [await tool('ipvsadm', ['-Sn']), await tool('ipset', ['list', '-n']), ...rules, ...devices].join('\n').trim();
}

export const checks: readonly Check[] = [
  {
    name: 'a kernel that has everything passes the preflight, which leaves nothing behind',
    run: async (node) => {
      assert.equal(await node.backend.preflight({ ...defaultConfig, mode: 'ipvs', ipvs: { scheduler: 'mh', strictARP: false } }), undefined);
      assert.equal(await leftovers(node), '');
    },
  },
  {
    name: 'a scheduler that the kernel lacks is refused by name',
    run: async ({ backend }) => {
      const refusal = await backend.preflight({ ...defaultConfig, mode: 'ipvs', ipvs: { scheduler: 'twos' as 'rr', strictARP: false } });
      assert.equal(refusal?.reason, 'KernelModuleMissing');
      assert.match(refusal.message, /no scheduler twos \(modprobe ip_vs_twos;/);
    },
  },
  {
    name: 'a kernel whose rules cannot ask sets is refused by name',
    run: async (node) => {
      const cannotMatch: RunCommand = async (command) => {
        if ([...(command.input ?? [])].join('').includes('--match-set')) throw new CommandError('Failed', 'refused', { exitCode: 2 });
        return node.run(command);
      };
      const refusal = await nodeWith(cannotMatch).backend.preflight({ ...defaultConfig, mode: 'ipvs' });
      assert.deepEqual(refusal, {
        reason: 'KernelModuleMissing',
        message: "this kernel has no match of iptables rules by IP set (modprobe xt_set; CONFIG_NETFILTER_XT_SET); install what is named and load it, by modprobe on the node or by a new start of the agent's Pod, or use a kernel with these options",
      });
      assert.equal(await leftovers(node), '');
    },
  },
  {
    name: 'virtual servers look as the documents show them',
    run: async (node) => {
      await node.tool('sh', ['-ec', 'ip link add eth0 type dummy; ip addr add 192.168.0.10/24 dev eth0']);
      await syncAll(node, [web(1, { spec: { type: 'NodePort', sessionAffinity: 'ClientIP' }, ports: [{ port: 80, nodePort: 30_080 }] }), web(2, { pods: ['podB'] })]);
      assert.deepEqual(virtualServers(await node.tool('ipvsadm', ['-Ln'])), {
        'TCP 10.96.0.1:80 rr persistent 10800': ['10.244.1.2:8080 Masq 1 0 0', '10.244.2.5:8080 Masq 1 0 0'],
        'TCP 192.168.0.10:30080 rr persistent 10800': ['10.244.1.2:8080 Masq 1 0 0', '10.244.2.5:8080 Masq 1 0 0'],
        'TCP 10.96.0.2:80 rr': ['10.244.1.3:8080 Masq 1 0 0'],
      });
      assert.match(await node.tool('ip', ['addr', 'show', 'kube-ipvs0']), /inet 10\.96\.0\.1\/32 scope global kube-ipvs0/);
    },
  },
  {
    name: 'changes and a start without memory leave the same, and a start changes nothing',
    run: async (node) => {
      await syncAll(node, [web(1), web(2)]);
      const state = ipvsState([web(1, { pods: ['podA', 'podB'] }), web(3)]);
      const changed = await node.backend.sync({ state, changed: new Set(['default/web-1', 'default/web-2', 'default/web-3']), signal });
      assert.equal(await node.backend.findDrift(signal), undefined);
      const before = await node.tool('ipset', ['save', '-sorted']) + (await node.tool('ipvsadm', ['-Sn']));
      const restarted = await nodeWith(node.run).backend.sync({ state, changed: 'all', signal });
      assert.equal(restarted.rulesHash, changed.rulesHash);
      assert.equal((await node.tool('ipset', ['save', '-sorted'])) + (await node.tool('ipvsadm', ['-Sn'])), before);
    },
  },
  {
    name: 'virtual servers of others stay in excludeCIDRs, and those by mark everywhere',
    run: async (node) => {
      await node.tool('ipvsadm', ['-R'], '-A -t 203.0.113.200:80 -s lc\n-a -t 203.0.113.200:80 -r 10.0.0.1:80 -g -w 5\n-A -u 198.51.100.200:53 -s rr\n-A -f 7 -s rr\n');
      await syncAll(node, [], { ipvs: { scheduler: 'rr', strictARP: false, excludeCIDRs: ['203.0.113.0/24'] } });
      const left = (await node.tool('ipvsadm', ['-Sn'])).trim().split('\n').sort();
      assert.deepEqual(left, ['-A -f 7 -s rr', '-A -t 203.0.113.200:80 -s lc', '-a -t 203.0.113.200:80 -r 10.0.0.1:80 -g -w 5']);
    },
  },
  {
    name: 'a real server without connections goes with the next check, the address of a deleted Service too',
    run: async (node) => {
      await syncAll(node, [web(1), web(2)]);
      await node.backend.sync({ state: ipvsState([web(1, { pods: ['podA'] })]), changed: new Set(['default/web-1', 'default/web-2']), signal });
      const drainingNow = await node.tool('ipvsadm', ['-Sn']);
      assert.match(drainingNow, /-a -t 10\.96\.0\.1:80 -r 10\.244\.2\.5:8080 -m -w 0/);
      assert.match(drainingNow, /-A -t 10\.96\.0\.2:80/);
      assert.equal(await node.backend.findDrift(signal), undefined);
      assert.equal(await node.tool('ipvsadm', ['-Sn']), '-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1\n');
      assert.doesNotMatch(await node.tool('ip', ['addr']), /10\.96\.0\.2\//);
      assert.equal(await node.backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'a set that is full is replaced by a larger one while rules ask it',
    run: async (node) => {
      await syncAll(node, [web(1)]);
      await node.tool('ipset', ['restore'], 'create SMALL hash:ip,port family inet maxelem 2\nadd SMALL 10.96.0.1,tcp:80\nswap SMALL KUBE-CLUSTER-IP\ndestroy SMALL\n');
      await syncAll(node, [web(1), web(2), web(3)]);
      const saved = await node.tool('ipset', ['save', 'KUBE-CLUSTER-IP']);
      assert.match(saved, /maxelem 4 /);
      assert.equal(saved.match(/^add/gm)?.length, 3);
    },
  },
  {
    name: 'what somebody clears is found and written again',
    run: async (node) => {
      for (const [tool, args, what] of [
        ['ipvsadm', ['-C'], /virtual server -t 10\.96\.0\.1:80 is missing/],
        ['ipset', ['flush', 'KUBE-CLUSTER-IP'], /set KUBE-CLUSTER-IP holds 0 entries instead of 1/],
        ['ip', ['link', 'del', 'kube-ipvs0'], /device kube-ipvs0 is missing/],
        ['iptables', ['-F', 'KUBE-IPVS-FILTER'], /chain KUBE-IPVS-FILTER/],
      ] as const) {
        await syncAll(node, [web(1)]);
        await node.tool(tool, args);
        assert.match((await node.backend.findDrift(signal)) ?? '', what);
      }
      await syncAll(node, [web(1)]);
      assert.equal(await node.backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'a tool that does nothing and says it did is found out',
    run: async ({ run }) => {
      const idle: RunCommand = async (command) => (command.args.includes('-R') ? '' : run(command));
      await assert.rejects(syncAll(nodeWith(idle), [web(1)]), /the tools reported success, but virtual server -t 10\.96\.0\.1:80 is missing/);
    },
  },
  {
    name: 'Services that ipvsadm, ipset or ip refuses are left out and named, all others are programmed, and they are tried again when they change',
    run: async (node) => {
      const refused = { ipvsadm: '10.96.0.2', ipset: '10.96.0.3', ip: '10.96.0.4' };
      const { backend } = nodeWith(refusing(node.run, refused));
      const all = [1, 2, 3, 4, 5].map((index) => web(index));
      assertQuarantined(await syncAll({ backend }, all), ['default/web-2', 'default/web-3', 'default/web-4']);
      assert.deepEqual(await served(node), ['10.96.0.1', '10.96.0.5']);
      assert.equal(await backend.findDrift(signal), undefined);
      Object.assign(refused, { ipset: '10.96.0.6' });
      const changed = new Set(['default/web-3', 'default/web-6']);
      assertQuarantined(await backend.sync({ state: ipvsState([...all, web(6)]), changed, signal }), ['default/web-2', 'default/web-4', 'default/web-6']);
      assert.deepEqual(await served(node), ['10.96.0.1', '10.96.0.3', '10.96.0.5']);
      assert.equal(await backend.findDrift(signal), undefined);
    },
  },
  {
    name: 'where no Service alone is to blame, the sync fails',
    run: async (node) => {
      const { backend } = nodeWith(refusing(node.run, { ipvsadm: '--set' }));
      await assert.rejects(syncAll({ backend }, [web(1)]), /ipvsadm failed/);
    },
  },
  {
    name: 'a line that ipvsadm refuses fails the sync where no Service is to blame, also when it is not the last',
    run: async (node) => {
      await syncAll(node, [web(1)]);
      await node.tool('ipvsadm', ['-A', '-t', '10.96.0.2:80', '-s', 'lc']);
      await assert.rejects(node.backend.sync({ state: ipvsState([web(1), web(2)]), changed: new Set(['default/web-2']), signal }), /ipvsadm failed/);
      await syncAll(node, [web(1), web(2)]);
      assert.match(await node.tool('ipvsadm', ['-Sn']), /^-A -t 10\.96\.0\.2:80 -s rr$/m);
    },
  },
  {
    name: 'the kernel is set as ipvs needs it, and strictARP as asked',
    run: async (node) => {
      await syncAll(node, [], { ipvs: { scheduler: 'rr', strictARP: true, tcpTimeoutSeconds: 800 } });
      const names = ['vs/conntrack', 'vs/expire_nodest_conn', 'vs/expire_quiescent_template', 'ip_forward', 'conf/all/arp_ignore', 'conf/all/arp_announce'];
      assert.equal(await node.tool('cat', names.map((name) => `/proc/sys/net/ipv4/${name}`)), '1\n1\n1\n1\n1\n2\n');
      assert.match(await node.tool('ipvsadm', ['-Ln', '--timeout']), /: 800 120 300/);
    },
  },
  {
    name: 'what is rendered loads as printed, in both families',
    run: async (node) => {
      for (const family of ['ipv4', 'ipv6'] as const) {
        for (const { tool, args, input } of renderIpvs(stateOf(family, [web(1, { ports: [{ port: 80, nodePort: 30_080 }], spec: { type: 'NodePort' } })], { mode: 'ipvs' }))) {
          await node.tool(tool, args, input.replace('link add kube-ipvs0 type dummy\n', family === 'ipv4' ? 'link add kube-ipvs0 type dummy\n' : ''));
        }
      }
      assert.equal((await node.tool('ipvsadm', ['-Sn'])).match(/^-A/gm)?.length, 4);
      assert.match(await node.tool('ip6tables-save', []), /--match-set KUBE-6-CLUSTER-IP dst,dst/);
    },
  },
  {
    name: 'clean-up leaves nothing of ours and all of others',
    run: async (node) => {
      await syncAll(node, [web(1, { ports: [{ port: 80, nodePort: 30_080 }], spec: { type: 'NodePort' } })]);
      await node.tool('ipvsadm', ['-A', '-t', '203.0.113.200:80', '-s', 'lc']);
      assert.notDeepEqual(await node.backend.cleanup(), []);
      assert.equal(await leftovers(node), '-A -t 203.0.113.200:80 -s lc');
      assert.deepEqual(await node.backend.cleanup(), []);
    },
  },
  {
    name: 'round robin is exact: of n endpoints, each gets one in n connections',
    run: async (_node, network) => {
      const pods = await network();
      const some = [web(2, { pods: ['podA', 'podB'] }), web(3, { pods: ['podA', 'podB', 'remotePod'] })];
      for (const family of ipFamilies) {
        const state = stateOf(family, some, { mode: 'ipvs' });
        await createBackend('ipvs', family, { run: pods.runOnNode }).sync({ state, changed: 'all', signal });
        const countAt = (index: number, connections: number): ReturnType<Network['count']> =>
          pods.count('podC', { protocol: 'TCP', address: clusterIP(index)[family], port: 80, timeoutMs: 10_000 }, connections);
        assert.deepEqual(await countAt(2, 2 * 25), { podA: 25, podB: 25 });
        assert.deepEqual(await countAt(3, 3 * 25), { podA: 25, podB: 25, remotePod: 25 });
      }
    },
  },
  {
    name: "a Service's address opens no port of the node, and connections keep a real server that drains",
    run: async (_node, network) => {
      const pods = await network();
      const node = nodeWith(pods.runOnNode);
      await syncAll(node, [web(1, { pods: ['podA'] })]);
      const askAt = (port: number): ReturnType<Network['ask']> => pods.ask('podB', { protocol: 'TCP', address: clusterIP(1).ipv4, port, timeoutMs: 5000 });
      assert.equal(await askAt(8080), 'REFUSED');
      assert.deepEqual(await askAt(80), { by: 'podA', seenFrom: '10.244.1.3' });
      await node.backend.sync({ state: ipvsState([web(1, { pods: ['podC'] })]), changed: new Set(['default/web-1']), signal });
      assert.equal(await node.backend.findDrift(signal), undefined);
      assert.match(await node.tool('ipvsadm', ['-Ln']), /-> 10\.244\.1\.2:8080 +Masq +0 +0 +1/);
      assert.deepEqual(await askAt(80), { by: 'podC', seenFrom: '10.244.1.3' });
    },
  },
];

/** Each tool changes nothing and fails when its input holds the word. */
function refusing(run: RunCommand, refused: Readonly<Record<string, string>>): RunCommand {
  return async (command) => {
    const text = [...(command.input ?? [])].join('');
    const word = refused[basename(command.file)];
    if (word !== undefined && text.split(/[\s,:/]/).includes(word)) throw new CommandError('Failed', 'refused', { exitCode: 1, stderr: 'secret' });
    return run({ ...command, ...(command.input && { input: [text] }) });
  };
}

function assertQuarantined({ quarantined = [] }: Awaited<ReturnType<typeof syncAll>>, services: readonly string[]): void {
  assert.deepEqual(quarantined.map(({ service }) => service).sort(), services);
  for (const { reason, message } of quarantined) assert.match(`${reason}: ${message}`, /^KernelRefused: the kernel refused the virtual servers.*tried again when the Service changes/);
}

/** The addresses that have a virtual server with two real servers, stand on the device and are in the set. */
async function served({ tool }: Node): Promise<readonly string[]> {
  const servers = Object.entries(virtualServers(await tool('ipvsadm', ['-Ln'])));
  const device = await tool('ip', ['addr', 'show', 'kube-ipvs0']);
  const set = await tool('ipset', ['save', 'KUBE-CLUSTER-IP']);
  const addresses = servers.filter(([, reals]) => reals.length === 2).map(([name]) => /^TCP ([^:]*):80 /.exec(name)?.[1] ?? '');
  return addresses.filter((address) => device.includes(` ${address}/32`) && set.includes(` ${address},tcp:80`)).sort();
}

/** Of `ipvsadm -Ln`: real servers, with weight and connections, by virtual server. */
function virtualServers(listing: string): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {};
  let current: string[] = [];
  for (const line of listing.split('\n').slice(3).map((each) => each.trim().split(/\s+/))) {
    if (line[0] === '->') current.push(line.slice(1).join(' '));
    else if (line[0] !== '') found[line.join(' ')] = current = [];
  }
  return found;
}
