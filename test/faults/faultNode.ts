/**
 * @module A node that serves while things happen to it: an agent as a process of its own, the real API server, the real
 * iptables, and Services that answer: `web`, whose endpoints tests change, `flow`, whose never change, and as many more
 * as are asked for.
 */
import { AgentNode, type AgentProcess } from '../agent/agentNode.ts';
import { node, service, slice, withoutIdentity } from '../support/objects.ts';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { until } from '../support/until.ts';
import { type Outcome, type TrafficPlan, underTraffic } from './traffic.ts';

export const web = '10.96.0.10';
const flow = '10.96.0.11';
export const endpoints = ['10.1.0.1', '10.1.0.2'];
/** Serves like the others, and is an endpoint only while a test wants it. */
export const extraEndpoint = '10.1.0.3';

const serves = (rules: string): boolean =>
  rules.includes(`-d ${web}/32`) && rules.includes(`--to-destination ${endpoints[0]}:8080`);
const hasJumps = (rules: string): boolean => /-A PREROUTING .*-j KUBE-SERVICES/.test(rules);
export const isWhole = (rules: string): boolean => serves(rules) && hasJumps(rules);
export const servesExtraEndpoint = (rules: string): boolean => rules.includes(`--to-destination ${extraEndpoint}:8080`);

/**
 * For tests in which connections must fail for a while: those that were due meanwhile are made afterwards, and should
 * not keep the machine busy.
 */
export const fewConnections = { perSecond: 20 };

export interface ExtraService {
  readonly name: string;
  readonly address: string;
}

/** More Services, of two endpoints each. */
export function extraServices(count: number): readonly ExtraService[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `svc-${index}`,
    address: `10.96.${1 + (index >> 8)}.${index & 255}`,
  }));
}

export class FaultNode {
  readonly host: AgentNode;
  agent: AgentProcess;
  #generation = 0;

  private constructor(host: AgentNode) {
    this.host = host;
    this.agent = host.startAgent();
  }

  /** Makes a node with `web`, `flow` and these Services, and resolves when all are served. */
  static async start(more: readonly ExtraService[] = []): Promise<FaultNode> {
    const host = await AgentNode.start();
    try {
      return await createNode(host, more);
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  /** Starts an agent on a host whose objects exist, and resolves when it serves. */
  static async onHost(host: AgentNode): Promise<FaultNode> {
    const started = new FaultNode(host);
    // An agent without a NodeProxy waits for one, and would wait again at each start.
    await started.configure({});
    await host.untilRules('the Services are served', isWhole, 60_000);
    return started;
  }

  async stop(): Promise<void> {
    await this.host.stop();
  }

  /** Ends the agent by this signal, and starts another. */
  async restart(signal: 'SIGTERM' | 'SIGKILL', options?: Parameters<AgentNode['startAgent']>[0]): Promise<void> {
    await this.agent.end(signal);
    this.agent = this.host.startAgent(options);
  }

  /** Syncs that the running agent has logged. */
  syncs(): number {
    return this.agent.log().split('"message":"synced"').length - 1;
  }

  async untilSynced(times = 1): Promise<void> {
    await until('it has synced', () => this.syncs() >= times, 60_000);
  }

  /** Assigns a configuration, and resolves when it is in force and the node Ready. */
  async configure(config: Partial<NodeConfig>): Promise<void> {
    this.#generation += 1;
    const revision = `r${this.#generation}`;
    const spec = {
      configRef: { name: 'default', uid: 'u', generation: this.#generation },
      revision,
      config: { ...builtIn().config, ...config },
    };
    await this.host.apply({
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'NodeProxy',
      metadata: { name: this.host.name },
      spec,
    });
    const isInForce = async (): Promise<boolean> =>
      (await this.status('{.status.revision} {.status.state}')) === `${revision} Ready`;
    await until('it is in force', isInForce, 30_000).catch((cause: unknown) => {
      throw new Error(this.agent.log().slice(-3000), { cause });
    });
  }

  /** A part of the NodeProxy, by its JSONPath. */
  status(jsonPath: string): Promise<string> {
    return this.host.kubectl(['get', 'nodeproxy', this.host.name, '-o', `jsonpath=${jsonPath}`]);
  }

  /** Makes `extraEndpoint` an endpoint of `web` beside the others, or takes it away. */
  async setExtraEndpoint(isPresent: boolean): Promise<void> {
    await this.applySlices(['web'], isPresent ? [...endpoints, extraEndpoint] : endpoints);
  }

  async applySlices(services: readonly string[], addresses: readonly string[]): Promise<void> {
    await this.host.apply(...services.map((name) => withoutIdentity(slice(name, { addresses }))));
  }

  /** Runs an action under traffic, to `web` where no other Services are named. */
  underTraffic(
    action: () => Promise<void>,
    { connectTo = [web], ...rest }: Partial<TrafficPlan> = {},
  ): Promise<Outcome> {
    return underTraffic(this.host, { flow, connectTo, ...rest }, action);
  }

  /** Whether a new connection to `web` is answered within 0.9 s. */
  async answers(): Promise<boolean> {
    // With a socket as its input, bash would read a person's .bashrc first.
    return this.host.run(['timeout', '0.9', 'bash', '--norc', '-c', `head -c1 < /dev/tcp/${web}/80`]).then(
      (answer) => answer.length === 1,
      () => false,
    );
  }
}

async function createNode(host: AgentNode, more: readonly ExtraService[]): Promise<FaultNode> {
  await host.run(['sh', '-ec', network]);
  const others = [{ name: 'web', address: web }, ...more];
  const flowSlice = { ...slice('flow'), ports: [{ name: 'http', protocol: 'TCP', port: 8081 }] };
  const services = [...others, { name: 'flow', address: flow }].map(({ name, address }) =>
    service(name, { clusterIPs: [address] }),
  );
  const slices = others.map(({ name }) => slice(name, { addresses: endpoints }));
  await host.apply(...[node(host.name, ['192.168.0.1']), ...services, flowSlice, ...slices].map(withoutIdentity));
  await host.kubectl(['apply', '-k', 'crds']);
  await host.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
  return FaultNode.onHost(host);
}

const network = `
ip link add eth0 type veth peer name eth1
ip address add 192.168.0.1/24 dev eth0
ip link set eth0 up; ip link set eth1 up
ip route add default via 192.168.0.254
ip address add 10.1.0.1/32 dev lo; ip address add 10.1.0.2/32 dev lo; ip address add ${extraEndpoint}/32 dev lo
ip route add local 10.1.1.0/24 dev lo
# Above are the ports that connections.py takes.
echo 1024 30000 > /proc/sys/net/ipv4/ip_local_port_range`;
