/**
 * A node, its pods, a pod of another node, that node and a client outside, each a bare network namespace with veth
 * links and routes: enough for real packets, without a cluster. The namespaces have no names; each lives as long as the
 * process in it, which dies with this one.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { Protocol } from '../../src/model/protocol.ts';
import type { RunCommand } from '../../src/system/command.ts';
import { isRoot, Worker } from './networkWorker.ts';
import type { TrafficPlan, TrafficReport } from './traffic.ts';

export const hostNames = ['client', 'node', 'otherNode', 'podA', 'podB', 'podC', 'remotePod'] as const;
export type HostName = (typeof hostNames)[number];
export type PodName = Extract<HostName, 'podA' | 'podB' | 'podC' | 'remotePod'>;

/** A packet's fate: who answered, and from which address they saw it come. */
export type Answer =
  | 'REFUSED'
  | 'DROPPED'
  | { readonly by: string; readonly seenFrom: string }
  | { readonly error: string };

export interface Question {
  /** SCTP only in a network that was made with it. */
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly sourcePort?: number;
}

export type Addresses = { readonly [family in IPFamily]: string };

export const podPort = 8080;
/** Where podB and podC listen as well, and answer as `podB:8081` and `podC:8081`. */
export const secondPort = 8081;
export const nodeName = 'node-1';
export const podNetwork: Addresses = { ipv4: '10.244.0.0/16', ipv6: 'fd00:10:244::/48' };
export const manyPort = 8082;
/** Of the pods on this node. */
export const nodePodNetwork: Addresses = { ipv4: '10.244.1.0/24', ipv6: 'fd00:10:244:1::/64' };
export const addresses: { readonly [name in HostName]: Addresses } = {
  client: { ipv4: '192.0.2.10', ipv6: '2001:db8:1::10' },
  node: { ipv4: '192.0.2.1', ipv6: '2001:db8:1::1' },
  otherNode: { ipv4: '192.0.2.2', ipv6: '2001:db8:1::2' },
  podA: { ipv4: '10.244.1.2', ipv6: 'fd00:10:244:1::2' },
  podB: { ipv4: '10.244.1.3', ipv6: 'fd00:10:244:1::3' },
  podC: { ipv4: '10.244.1.4', ipv6: 'fd00:10:244:1::4' },
  remotePod: { ipv4: '10.244.2.5', ipv6: 'fd00:10:244:2::5' },
};
/** The node's end of the link to each pod: what a pod sees as the source of masqueraded traffic. */
export const gateways: { readonly [name in PodName]: Addresses } = {
  podA: { ipv4: '10.244.255.2', ipv6: 'fd00:10:244:ff::2' },
  podB: { ipv4: '10.244.255.3', ipv6: 'fd00:10:244:ff::3' },
  podC: { ipv4: '10.244.255.4', ipv6: 'fd00:10:244:ff::4' },
  remotePod: { ipv4: '10.244.255.5', ipv6: 'fd00:10:244:ff::5' },
};
const pods = Object.keys(gateways) as PodName[];
export const routedPort = 8083;
/**
 * Addresses in the range of cluster IPs that the node has a route for, to the other node, which answers at `routedPort`:
 * a packet that no rule stops is seen to leave the node.
 */
export const routedClusterIPs: readonly Addresses[] = [998, 999].map((index) => ({
  ipv4: `10.96.3.${index - 768}`,
  ipv6: `fd00:10:96::${index}`,
}));

export interface Network {
  ask(from: HostName, question: Question): Promise<Answer>;
  /** How many of many TCP connections each answerer got, by its name. */
  count(from: HostName, question: Question, connections: number): Promise<Readonly<Record<string, number>>>;
  /** A server that keeps flows open at this port, and greets new connections at the next. */
  serveTraffic(on: HostName, port: number): Promise<void>;
  /** From one host, until it is ended. */
  startTraffic(from: HostName, plan: TrafficPlan): Promise<void>;
  endTraffic(from: HostName): Promise<TrafficReport>;
  /** Gives podA addresses besides its own, at which port `manyPort` answers by its address. */
  addAddresses(added: readonly string[]): Promise<void>;
  /** Runs programs in the node's namespace. */
  readonly runOnNode: RunCommand;
  /** A process in the node's namespace: by it the namespace is named. */
  readonly nodePid: number;
  close(): Promise<void>;
}

/** Why this machine cannot build the network, or undefined when it can. */
export async function networkObstacle(): Promise<string | undefined> {
  return obstacle('network namespaces with veth links', [
    'ip',
    'link',
    'add',
    'x',
    'type',
    'veth',
    'peer',
    'name',
    'y',
  ]);
}

/**
 * Why no packet can go through the rules of this iptables here, or undefined when it can. The legacy one cannot be read
 * in a user namespace.
 */
export async function iptablesObstacle(variant: 'nft' | 'legacy'): Promise<string | undefined> {
  const script = `mount -t tmpfs none /run; printf '*nat\\nCOMMIT\\n' | iptables-${variant}-restore && iptables-${variant}-save`;
  return (await networkObstacle()) ?? obstacle(`iptables-${variant}`, ['sh', '-c', script]);
}

/** Why rules that ask IP sets or match SCTP cannot be loaded here, or undefined when they can. */
export async function matchObstacle(): Promise<string | undefined> {
  const rules =
    '*filter\\n:X - [0:0]\\n-A X -m set --match-set x dst -j DROP\\n-A X -p sctp -m sctp --dport 1 -j DROP\\nCOMMIT\\n';
  const script = `ipset create x hash:ip; printf '${rules}' | iptables-nft-restore`;
  return (await networkObstacle()) ?? obstacle('match of IP sets and SCTP', ['sh', '-ec', script]);
}

async function obstacle(what: string, [file = '', ...args]: readonly string[]): Promise<string | undefined> {
  return promisify(execFile)('unshare', [isRoot ? '-nm' : '-Urnm', file, ...args], {
    env: { PATH: '/usr/sbin:/usr/bin' },
  }).then(
    () => undefined,
    (error: Error) => `no ${what} for this user: ${error.message.trim().split('\n').at(-1)}`,
  );
}

/** A namespace with nothing in it. */
export function createEmptyNode(): Pick<Network, 'runOnNode' | 'close'> {
  const worker = new Worker();
  return { runOnNode: worker.run, close: () => worker.close() };
}

/**
 * `sctp`: on kernels that have it. `isHere`: this process is on the node itself, which is for a kernel that nobody else
 * uses.
 */
export async function createNetwork({ sctp = false, isHere = false } = {}): Promise<Network> {
  const nodeWorker = new Worker(undefined, isHere);
  await nodeWorker.isolated;
  const workerFor = (name: HostName): Worker => (name === 'node' ? nodeWorker : new Worker(nodeWorker));
  const hosts = Object.fromEntries(hostNames.map((name) => [name, workerFor(name)])) as Record<HostName, Worker>;
  try {
    await Promise.all(Object.values(hosts).map((host) => host.shell(commonCommands + (sctp ? sctpCommands : ''))));
    await hosts.node.shell(linkCommands(hosts));
    await Promise.all([
      hosts.client.shell(clientCommands()),
      hosts.otherNode.shell(otherNodeCommands()),
      ...pods.map((pod) => hosts[pod].shell(podCommands(pod))),
    ]);
    await Promise.all(
      [...pods, 'node' as const, 'otherNode' as const].map((name) =>
        hosts[name].requests.send('listen', { name, port: podPort, sctp }),
      ),
    );
    await Promise.all(
      routedClusterIPs
        .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
        .map((address) =>
          hosts.otherNode.requests.send('listen', { name: 'otherNode', port: routedPort, sctp: false, address }),
        ),
    );
    await Promise.all(
      (['podB', 'podC'] as const).map((name) =>
        hosts[name].requests.send('listen', { name: `${name}:${secondPort}`, port: secondPort, sctp: false }),
      ),
    );
  } catch (error) {
    await Promise.all(Object.values(hosts).map((host) => host.close()));
    throw error;
  }
  return {
    ask: (from, question) => hosts[from].requests.send('ask', { question }) as Promise<Answer>,
    count: (from, question, connections) =>
      hosts[from].requests.send('count', { question, connections }) as Promise<Readonly<Record<string, number>>>,
    serveTraffic: async (on, port) => void (await hosts[on].requests.send('serveTraffic', { name: on, port })),
    startTraffic: async (from, plan) => void (await hosts[from].requests.send('startTraffic', { plan })),
    endTraffic: (from) => hosts[from].requests.send('endTraffic', {}) as Promise<TrafficReport>,
    addAddresses: async (added) => {
      await hosts.podA.shell(
        added.map((address) => `ip addr add ${address} dev eth0 ${address.includes(':') ? 'nodad' : ''}`).join('\n'),
      );
      await hosts.node.shell(
        added.map((address) => `ip ${address.includes(':') ? '-6' : '-4'} route add ${address} dev podA`).join('\n'),
      );
      await hosts.podA.requests.send('listen', { name: '', port: manyPort, sctp: false });
    },
    runOnNode: (command) => hosts.node.run(command),
    nodePid: hosts.node.pid,
    close: async () => {
      await Promise.all(Object.values(hosts).map((host) => host.close()));
    },
  };
}

const commonCommands = `
    ip link set lo up
    for i in all default; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; done
    # Linux sends few ICMP errors a second; a test wants every refusal.
    echo 0 > /proc/sys/net/ipv6/icmp/ratelimit; echo 0 > /proc/sys/net/ipv4/icmp_ratelimit`;

/**
 * A pod tells all its addresses to its peer, which asks each unproven one when the first time-out is over; what a
 * translated association asks there is answered by an abort. So that is later than any answer, and still soon enough to
 * send a lost INIT again.
 */
const sctpCommands = `
    cd /proc/sys/net/sctp; echo 100 > rto_min; echo 5000 > rto_initial; echo 5000 > rto_max`;

function linkCommands(hosts: Record<HostName, Worker>): string {
  const { node, client } = addresses;
  return `
    echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
    ip link add outside type veth peer name eth0 netns ${hosts.client.pid}
    ip addr add ${node.ipv4}/24 dev outside; ip -6 addr add ${node.ipv6}/64 dev outside nodad; ip link set outside up
    ip link add other type veth peer name eth0 netns ${hosts.otherNode.pid}
    ip addr add ${node.ipv4}/32 dev other; ip -6 addr add ${node.ipv6}/128 dev other nodad; ip link set other up
    ip route add ${addresses.otherNode.ipv4}/32 dev other src ${node.ipv4}; ip -6 route add ${addresses.otherNode.ipv6}/128 dev other src ${node.ipv6}
    ${routedClusterIPs
      .map(
        ({ ipv4, ipv6 }) => `
    ip route add ${ipv4}/32 via ${addresses.otherNode.ipv4} dev other src ${node.ipv4}; ip -6 route add ${ipv6}/128 via ${addresses.otherNode.ipv6} dev other src ${node.ipv6}`,
      )
      .join('')}
    ${pods
      .map(
        (pod) => `
    ip link add ${pod} type veth peer name eth0 netns ${hosts[pod].pid}
    ip addr add ${gateways[pod].ipv4}/32 dev ${pod}; ip -6 addr add ${gateways[pod].ipv6}/128 dev ${pod} nodad; ip link set ${pod} up
    ip route add ${addresses[pod].ipv4}/32 dev ${pod} src ${gateways[pod].ipv4}; ip -6 route add ${addresses[pod].ipv6}/128 dev ${pod} src ${gateways[pod].ipv6}`,
      )
      .join('')}
    # Where a node has a default route, a packet for a Service address is routed to OUTPUT or FORWARD.
    ip route add default via ${client.ipv4}; ip -6 route add default via ${client.ipv6}`;
}

function clientCommands(): string {
  return `
    ip addr add ${addresses.client.ipv4}/24 dev eth0; ip -6 addr add ${addresses.client.ipv6}/64 dev eth0 nodad; ip link set eth0 up
    ip route add default via ${addresses.node.ipv4}; ip -6 route add default via ${addresses.node.ipv6}`;
}

/** A cable of its own leads to it: a bridge would be one more thing that a kernel may lack. */
function otherNodeCommands(): string {
  const { node, otherNode } = addresses;
  return `
    ip addr add ${otherNode.ipv4}/32 dev eth0; ip -6 addr add ${otherNode.ipv6}/128 dev eth0 nodad; ip link set eth0 up
    ip route add ${node.ipv4}/32 dev eth0; ip route add default via ${node.ipv4}
    ip -6 route add ${node.ipv6}/128 dev eth0; ip -6 route add default via ${node.ipv6}
    ${routedClusterIPs.map(({ ipv4, ipv6 }) => `ip addr add ${ipv4}/32 dev eth0; ip -6 addr add ${ipv6}/128 dev eth0 nodad preferred_lft 0`).join('\n')}`;
}

function podCommands(pod: PodName): string {
  const gateway = gateways[pod];
  return `
    ip addr add ${addresses[pod].ipv4}/32 dev eth0; ip -6 addr add ${addresses[pod].ipv6}/128 dev eth0 nodad; ip link set eth0 up
    ip route add ${gateway.ipv4}/32 dev eth0; ip route add default via ${gateway.ipv4}
    ip -6 route add ${gateway.ipv6}/128 dev eth0; ip -6 route add default via ${gateway.ipv6}`;
}
