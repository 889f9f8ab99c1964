/** A node, in this process' own network namespace, whose Services one agent after the other serves. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import { runCommand } from '../../src/system/command.ts';
import { assignedNodeProxy } from '../support/assignedNodeProxy.ts';
import { createNetwork, type Network, nodeName, type PodName, podPort } from '../support/network.ts';
import {
  clusterIP,
  nodeObject,
  type ServiceManifest,
  serviceObject,
  sliceObjects,
} from '../support/serviceManifests.ts';
import { configOf, flowPort, openFlows, routes, services } from '../support/trafficServices.ts';
import { waitFor } from '../support/waitFor.ts';
import { leaveKubeletMark } from '../uml/kubeletMark.ts';
import type { KubeObject } from '../uml/objectServer.ts';
import type { Snapshot } from '../uml/nodeSnapshot.ts';
import { type Api, startObjectApi, startRealApi } from './api.ts';
import type { Reports } from './judgement.ts';
import { ruleDifferences, takeRules } from './nodeRules.ts';
import { ask, ReplacedAgent } from './replacedAgent.ts';
import type { Build, ReplaceTask } from './task.ts';

/** User Mode Linux on a busy machine takes up to a minute for what takes a second elsewhere. */
const maxWaitMs = 120_000;
/**
 * Of the node's own programs, first and last: apart from those that traffic and agents take. A connection that finds
 * its port taken was never tried.
 */
const ephemeralPorts = '11000 19999';
/** How long traffic flows before and after what is done to the node. */
const calmMs = 500;

/** Whose endpoint changes. It carries no traffic but a question after each change. */
const changing = (pod: PodName): ServiceManifest => ({
  name: 'changing',
  clusterIP: clusterIP(220),
  ports: [{ name: 'http', port: 80, targetPort: podPort, protocol: 'TCP' }],
  pods: [pod],
});

const dualStack = { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] };

function objectsOf(manifest: ServiceManifest): readonly KubeObject[] {
  const spec = { ...dualStack, ...manifest.spec };
  return [serviceObject({ ...manifest, spec }), ...sliceObjects(manifest)] as unknown as KubeObject[];
}

export class ReplacedNode {
  readonly #task: ReplaceTask;
  readonly #network: Network;
  readonly #api: Api;
  readonly #stateDirectory: string;
  #agent: ReplacedAgent | undefined;
  #generation = 0;

  private constructor(task: ReplaceTask, parts: { network: Network; api: Api; stateDirectory: string }) {
    this.#task = task;
    this.#network = parts.network;
    this.#api = parts.api;
    this.#stateDirectory = parts.stateDirectory;
  }

  /** With all Services, and without an agent. */
  static async start(task: ReplaceTask): Promise<ReplacedNode> {
    const directory = await mkdtemp(join(tmpdir(), 'replace-'));
    await writeFile('/proc/sys/net/ipv4/ip_local_port_range', ephemeralPorts);
    const network = await createNetwork({ isHere: true });
    if (task.mode === 'ipvs') await leaveKubeletMark(runCommand, task.variant);
    await Promise.all((['podA', 'podC', 'remotePod'] as const).map((pod) => network.serveTraffic(pod, flowPort)));
    const api = await (task.api === 'real' ? startRealApi() : startObjectApi(directory));
    const objects = [nodeObject as KubeObject, ...[...services, changing('podC')].flatMap(objectsOf)];
    for (const object of objects) await api.put(object);
    return new ReplacedNode(task, { network, api, stateDirectory: directory });
  }

  async stop(): Promise<void> {
    if (this.#agent?.hasEnded() === false) await this.#agent.end('SIGKILL');
    await this.#api.stop();
    await this.#network.close();
  }

  startAgent(build: Build): void {
    const flags = ['--kubeconfig', this.#api.kubeconfig, '--node', nodeName, '--state-dir', this.#stateDirectory];
    this.#agent = new ReplacedAgent([...this.#task.products[build], 'agent', ...flags]);
  }

  /** Resolves to what is wrong with how it ended. */
  async endAgent(signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly string[]> {
    return (await this.#agent?.end(signal)) ?? [];
  }

  /** Assigns a new revision, and resolves when the NodeProxy says that it is in force and the node Ready. */
  async configure(): Promise<void> {
    this.#generation += 1;
    const nodeProxy = this.#nodeProxy();
    await this.#api.put(nodeProxy);
    const { revision } = nodeProxy.spec;
    await this.#until(`the NodeProxy is Ready with ${revision}`, async () => {
      const { status } = (await this.#api.get(nodeProxy)) as NodeProxy;
      return status?.state === 'Ready' && status.revision === revision && status.mode === this.#task.mode;
    });
  }

  /**
   * Starts an agent that has nothing but the saved configuration: the API server is away, and knows no NodeProxy when
   * it is back. Resolves to what is wrong when the agent serves.
   */
  async startAgentWithSavedConfig(build: Build): Promise<readonly string[]> {
    const before = await this.rules();
    await this.#api.delete(this.#nodeProxy());
    await this.#api.goAway();
    this.startAgent(build);
    await this.#until('the agent runs', async () => (await ask(10_256, '/livez')).status === 200);
    const touched = ruleDifferences(await this.rules(), before);
    await this.#api.comeBack();
    await this.#until('the agent serves', async () => (await ask(10_256, '/readyz')).status === 200);
    const inForce = /^proxyconfig_config_info\{.*$/m.exec((await ask(10_249, '/metrics')).body)?.[0] ?? 'nothing';
    const wanted = [`mode="${this.#task.mode}"`, `revision="r${this.#generation}"`, 'source="Saved"'];
    return [
      ...touched.map((line) => `without an API server the agent changed rules: ${line}`),
      ...(wanted.every((words) => inForce.includes(words)) ? [] : [`not the saved configuration: ${inForce}`]),
    ];
  }

  /** Moves a Service's endpoint to another pod and back, and resolves when each was reached. */
  async changeService(): Promise<void> {
    for (const pod of ['podB', 'podC'] as const) {
      for (const object of sliceObjects(changing(pod))) await this.#api.put(object as unknown as KubeObject);
      for (const family of ipFamilies)
        await this.#until(`${pod} is reached over ${family}`, async () => {
          const question = { protocol: 'TCP', address: clusterIP(220)[family], port: 80, timeoutMs: 2000 } as const;
          const answer = await this.#network.ask('client', question);
          return typeof answer === 'object' && 'by' in answer && answer.by === pod;
        });
    }
  }

  /** What traffic from outside and from the node itself saw while `action` ran. */
  async underTraffic(action: () => Promise<void>): Promise<Reports> {
    // In a kernel whose system calls cost ten times the usual, a steady rate is a low one.
    const [perSecond, askEveryMs] = this.#task.mode === 'ipvs' ? [30, 500] : [100, 50];
    const plan = { flows: openFlows, connectTo: routes('connection', 1), perSecond, askEveryMs };
    const hosts = ['client', 'node'] as const;
    await Promise.all(hosts.map((host) => this.#network.startTraffic(host, plan)));
    await sleep(calmMs);
    await action();
    await sleep(calmMs);
    const ended = hosts.map(async (host) => [host, await this.#network.endTraffic(host)] as const);
    return Object.fromEntries(await Promise.all(ended));
  }

  rules(): Promise<Snapshot> {
    return takeRules(this.#task.mode, runCommand);
  }

  /** Deletes all rules of nat, as an administrator may. */
  async flush(): Promise<void> {
    for (const tool of ['iptables', 'ip6tables'])
      await runCommand({
        file: `/usr/sbin/${tool}-${this.#task.variant}`,
        args: ['-t', 'nat', '-F'],
        timeoutMs: 10_000,
      });
  }

  /** `proxyconfig cleanup` by this build. Throws where it fails. */
  async cleanup(): Promise<void> {
    const [file = '', ...args] = this.#task.products['this build'];
    await runCommand({ file, args: [...args, 'cleanup'], timeoutMs: maxWaitMs });
  }

  /** The end of the agent's log. */
  log(): string {
    return this.#agent?.log() ?? '';
  }

  #nodeProxy(): NodeProxy & KubeObject {
    const { mode, variant } = this.#task;
    const iptables = { ...builtIn().config.iptables, backend: variant === 'nft' ? 'Nft' : 'Legacy' } as const;
    const config = { ...configOf(mode, {}), ...(mode === 'iptables' && { iptables }) };
    const assigned = assignedNodeProxy({ revision: `r${this.#generation}`, generation: this.#generation, config });
    const { uid: _given, ...metadata } = assigned.metadata;
    return { ...assigned, metadata: { ...metadata, name: nodeName } };
  }

  async #until(what: string, condition: () => Promise<boolean>): Promise<void> {
    await waitFor(what, condition, {
      timeoutMs: maxWaitMs,
      everyMs: 20,
      maxPauseMs: 250,
      isHopeless: () => this.#agent?.hasEnded() === true,
      explain: () => this.log(),
    });
  }
}
