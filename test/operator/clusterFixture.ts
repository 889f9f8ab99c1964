/**
 * @module A real API server for the operator's tests, with words for what people and agents do to it. Nothing else
 * runs: nodes are objects only, and agents answer when a test lets them.
 */
import { isDeepStrictEqual } from 'node:util';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { isNotFound } from '../../src/kube/apiError.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { findCondition, toSeconds } from '../../src/api/conditions.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { agentLabels } from '../../src/operator/watch/clusterView.ts';
import { startApiServer, type ApiServer } from '../cluster/apiServer.ts';
import { waitFor } from '../support/waitFor.ts';

const ours = '/apis/proxyconfig.dev/v1alpha1';
const pods = '/api/v1/namespaces/proxyconfig-system/pods';
const events = '/apis/events.k8s.io/v1/namespaces/default/events';
const mergePatch = 'application/merge-patch+json';

export interface EventObject {
  readonly metadata: { readonly name: string };
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly name: string; readonly uid?: string };
}

export type ConfigTraits = Partial<Omit<ProxyConfig['spec'], 'rollout'>> & {
  readonly rollout?: Partial<ProxyConfig['spec']['rollout']>;
};

export const pool = (name: string): ConfigTraits => ({ nodeSelector: { matchLabels: { pool: name } } });

/** For the present spec, not for an earlier one. */
export const conditionIs =
  (type: string, status: string, reason?: string) =>
  ({ metadata, status: { conditions } = {} }: ProxyConfig): boolean => {
    const condition = findCondition(conditions, type);
    return (
      condition?.observedGeneration === metadata.generation &&
      condition?.status === status &&
      (reason === undefined || condition.reason === reason)
    );
  };

export interface ClusterOptions {
  /** The directory to `kubectl apply -k`; only the CRDs by default. */
  readonly install?: string;
  /** Further ones of kube-apiserver. */
  readonly apiServerArguments?: readonly string[];
}

export class ClusterFixture {
  #server: ApiServer | undefined;
  #client: KubeClient | undefined;

  static async start(options: ClusterOptions = {}): Promise<ClusterFixture> {
    const fixture = new ClusterFixture();
    await fixture.start(options);
    return fixture;
  }

  async start({ install = 'crds', apiServerArguments }: ClusterOptions = {}): Promise<void> {
    this.#server = await startApiServer({ apiServerArguments });
    this.#client = createKubeClient(loadKubeConfig({ kubeconfig: this.#server.kubeconfig }));
    try {
      await this.kubectl(['apply', '-k', install]);
      if (install === 'crds') await this.kubectl(['create', 'namespace', 'proxyconfig-system']);
      await this.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Also of one that was never started. */
  async stop(): Promise<void> {
    await this.#client?.close();
    await this.#server?.stop();
  }

  get server(): ApiServer {
    return started(this.#server);
  }

  /** As an administrator. */
  get client(): KubeClient {
    return started(this.#client);
  }

  /** Throws when kubectl fails. */
  async kubectl(args: readonly string[], input?: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.server.kubectl(args, { input });
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** As before the first test. */
  async clear(): Promise<void> {
    for (const path of [`${ours}/proxyconfigs`, `${ours}/nodeproxies`, '/api/v1/nodes', events])
      await this.client.send('DELETE', path);
    await this.client.send('DELETE', pods, { query: { gracePeriodSeconds: 0 } });
  }

  async addNode(name: string, labels: Record<string, string> = {}): Promise<void> {
    await this.addNodeWithoutPod(name, labels);
    await this.addAgentPod(name);
  }

  /** Whose agent, if there is one, runs outside of the cluster. */
  async addNodeWithoutPod(name: string, labels: Record<string, string> = {}): Promise<void> {
    await this.client.send('POST', '/api/v1/nodes', {
      body: { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } },
    });
  }

  /** With all that the garbage collector would delete. */
  async deleteNode(name: string): Promise<void> {
    for (const path of [`/api/v1/nodes/${name}`, `${pods}/agent-${name}`, `${ours}/nodeproxies/${name}`])
      await this.client.send('DELETE', path, { query: { gracePeriodSeconds: 0 } }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  }

  async applyService(name: string, externalIPs: readonly string[]): Promise<void> {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { ports: [{ port: 80 }], externalIPs },
    };
    await this.kubectl(['apply', '-f', '-'], JSON.stringify(service));
  }

  /** A Service with a load balancer that was given these addresses. */
  async applyLoadBalancer(name: string, addresses: readonly string[], sourceRanges: readonly string[]): Promise<void> {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], loadBalancerSourceRanges: sourceRanges },
    };
    await this.kubectl(['apply', '-f', '-'], JSON.stringify(service));
    const status = { status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } } };
    await this.kubectl([
      'patch',
      'service',
      name,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify(status),
    ]);
  }

  async labelNode(name: string, labels: Record<string, string | null>): Promise<void> {
    await this.client.send('PATCH', `/api/v1/nodes/${name}`, {
      contentType: mergePatch,
      body: { metadata: { labels } },
    });
  }

  async addAgentPod(node: string): Promise<void> {
    const spec = { nodeName: node, containers: [{ name: 'agent', image: 'agent' }] };
    await this.client.send('POST', pods, {
      body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: `agent-${node}`, labels: agentLabels }, spec },
    });
    await this.setAgentReady(node, true);
  }

  async setAgentReady(node: string, isReady: boolean): Promise<void> {
    const status = { conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] };
    await this.client.send('PATCH', `${pods}/agent-${node}/status`, { contentType: mergePatch, body: { status } });
  }

  /** Rolled out without waits, unless the spec says otherwise. */
  async addConfig(name: string, { rollout, ...spec }: ConfigTraits = {}): Promise<ProxyConfig> {
    const body = {
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'ProxyConfig',
      metadata: { name },
      spec: { mode: 'iptables', ...spec, rollout: { minReadySeconds: 0, ...rollout } },
    };
    return this.client.send('POST', `${ours}/proxyconfigs`, { body });
  }

  async changeConfig(name: string, spec: object): Promise<ProxyConfig> {
    return this.client.send('PATCH', `${ours}/proxyconfigs/${name}`, { contentType: mergePatch, body: { spec } });
  }

  async deleteConfig(name: string): Promise<void> {
    await this.client.send('DELETE', `${ours}/proxyconfigs/${name}`);
  }

  config(name: string): Promise<ProxyConfig> {
    return this.client.get(`${ours}/proxyconfigs/${name}`);
  }

  nodeProxy(node: string): Promise<NodeProxy | undefined> {
    return this.client.get<NodeProxy>(`${ours}/nodeproxies/${node}`).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  }

  async eventsAbout(config: string): Promise<EventObject[]> {
    const { items } = await this.client.get<{ items: EventObject[] }>(events);
    return items.filter(({ regarding }) => regarding.name === config);
  }

  /** The node's NodeProxy once it fulfils the condition. */
  nodeProxyThat(node: string, what: string, holds: (nodeProxy: NodeProxy) => boolean): Promise<NodeProxy> {
    return this.#eventually(`NodeProxy ${node} ${what}`, () => this.nodeProxy(node), holds);
  }

  masquerades(node: string, bit: number): Promise<NodeProxy> {
    return this.nodeProxyThat(node, `masquerades with bit ${bit}`, ({ spec }) =>
      isDeepStrictEqual(spec.config?.['masquerade'], { bit, all: false }),
    );
  }

  configThat(name: string, what: string, holds: (config: ProxyConfig) => boolean): Promise<ProxyConfig> {
    return this.#eventually(`ProxyConfig ${name} ${what}`, () => this.config(name), holds);
  }

  governedBy(node: string, config: string): Promise<NodeProxy> {
    return this.nodeProxyThat(node, `is governed by ${config}`, ({ spec }) => spec.configRef.name === config);
  }

  /** The agent of the node reports that it runs what it was assigned. */
  async agentApplies(node: string): Promise<void> {
    await this.#agentReports(node, ({ spec }) => ({
      state: 'Ready',
      mode: spec.config?.['mode'],
      revision: spec.revision,
      conditions: [readyCondition('True', 'Synced', 'rules are in force')],
    }));
  }

  /** The agent of the node reports that it stays with what it ran before. */
  async agentRefuses(node: string, reason: string, message: string): Promise<void> {
    await this.#agentReports(node, () => ({
      state: 'Degraded',
      mode: 'iptables',
      conditions: [readyCondition('False', reason, message)],
    }));
  }

  /** The agent of the node reports that it serves all Services but these. */
  agentLeavesOut(node: string, quarantined: readonly object[]): Promise<void> {
    return this.agentReportsDataplane(node, { quarantinedCount: quarantined.length, quarantined });
  }

  /** Ready, with this of what stands in the kernel. */
  async agentReportsDataplane(node: string, dataplane: object): Promise<void> {
    await this.#agentReports(node, ({ spec }) => ({
      state: 'Ready',
      mode: spec.config?.['mode'],
      revision: spec.revision,
      dataplane,
      conditions: [readyCondition('True', 'Synced', 'rules are in force')],
    }));
  }

  async #agentReports(node: string, report: (nodeProxy: NodeProxy) => object): Promise<void> {
    const nodeProxy = await this.nodeProxy(node);
    if (!nodeProxy) throw new Error(`there is no NodeProxy ${node}`);
    const status = { observedGeneration: nodeProxy.metadata.generation, ...report(nodeProxy) };
    await this.client.send('PATCH', `${ours}/nodeproxies/${node}/status`, {
      contentType: mergePatch,
      body: { status },
    });
  }

  async #eventually<T>(what: string, read: () => Promise<T | undefined>, holds: (value: T) => boolean): Promise<T> {
    let last: T | undefined;
    const condition = async (): Promise<T | undefined> => {
      last = await read();
      return last !== undefined && holds(last) ? last : undefined;
    };
    return waitFor(what, condition, { timeoutMs: 25_000, everyMs: 25, explain: () => JSON.stringify(last, null, 1) });
  }
}

function readyCondition(status: string, reason: string, message: string): object {
  return { type: 'Ready', status, reason, message, lastTransitionTime: toSeconds(new Date()) };
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the cluster has not been started');
  return part;
}
