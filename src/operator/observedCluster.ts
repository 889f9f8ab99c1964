/**
 * Everything that the operator knows of the cluster, kind by kind: what its watches brought, and what it wrote itself.
 */
import type { NodeProxy } from '../api/generated/nodeProxy.ts';
import {
  decodeAgentPod,
  decodeNode,
  decodeNodeProxy,
  decodeProxyConfig,
  decodeRevision,
  type ClusterView,
} from './clusterView.ts';
import { type AnsweredObject, type ObservedObject, KnownObjects, WrittenObjects } from './knownObjects.ts';

export class ObservedCluster {
  readonly nodes = new KnownObjects(decodeNode);
  readonly configs = new WrittenObjects(decodeProxyConfig);
  readonly nodeProxies = new KnownNodeProxies(decodeNodeProxy);
  readonly revisions = new KnownObjects(decodeRevision);
  readonly agentPods = new KnownObjects(decodeAgentPod);

  view(): ClusterView {
    const agentPods = [...this.agentPods.byName.values()];
    return {
      nodes: this.nodes.byName,
      configs: this.configs.byName,
      nodeProxies: this.nodeProxies.byName,
      lostNodeProxies: this.nodeProxies.lost,
      revisions: this.revisions.byName,
      readyAgents: new Set(agentPods.filter(({ ready }) => ready).map(({ node }) => node)),
    };
  }

  /** Of NodeProxies that are lost only those matter whose nodes are there. */
  forgetGoneNodes(): void {
    this.nodeProxies.forgetLost((name) => !this.nodes.byName.has(name));
  }
}

class KnownNodeProxies extends WrittenObjects<NodeProxy> {
  readonly #lost = new Map<string, NodeProxy>();

  /** Those that somebody has deleted, as they last were, by name: their nodes still run what they say. */
  get lost(): ReadonlyMap<string, NodeProxy> {
    return this.#lost;
  }

  override keep(observed: ObservedObject): boolean {
    const known = this.byName.get(observed.name);
    if (observed.object !== undefined) this.#lost.delete(observed.name);
    else if (known !== undefined) this.#lost.set(observed.name, known);
    return super.keep(observed);
  }

  override learn(answer: AnsweredObject): boolean {
    this.#lost.delete(answer.metadata.name);
    return super.learn(answer);
  }

  forgetLost(isForgotten: (name: string) => boolean): void {
    for (const name of this.#lost.keys()) if (isForgotten(name)) this.#lost.delete(name);
  }
}
