/**
 * Everything that the operator knows of the cluster, kind by kind: what its watches brought, and what it wrote itself.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import {
  decodeAgentPod,
  decodeNode,
  decodeNodeProxy,
  decodeProxyConfig,
  decodeRevision,
  type ClusterView,
} from './clusterView.ts';
import { type ResponseObject, type ObservedObject, KnownObjects, WrittenObjects } from './knownObjects.ts';

/** One collection for each kind that is watched. */
export class ObservedCluster {
  readonly nodes = new KnownObjects(decodeNode);
  readonly configs = new WrittenObjects(decodeProxyConfig);
  readonly nodeProxies = new KnownNodeProxies(decodeNodeProxy);
  readonly revisions = new KnownObjects(decodeRevision);
  readonly agentPods = new KnownObjects(decodeAgentPod);

  /** What is known now. Its maps are live: whoever decides on them does so without an await in between. */
  view(): ClusterView {
    const agentPods = [...this.agentPods.byName.values()];
    const readyAgents = new Set(agentPods.filter(({ ready }) => ready).map(({ node }) => node));
    return {
      nodes: this.nodes.byName,
      configs: this.configs.byName,
      nodeProxies: this.nodeProxies.byName,
      lostNodeProxies: this.nodeProxies.lost,
      revisions: this.revisions.byName,
      readyAgents,
      unreadyAgents: new Set(agentPods.map(({ node }) => node).filter((node) => !readyAgents.has(node))),
    };
  }

  /** Drops lost NodeProxies of Nodes that are deleted: only those matter whose Nodes are there. */
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

  override observe(observed: ObservedObject<NodeProxy>): boolean {
    const known = this.byName.get(observed.name);
    if (observed.record !== undefined) this.#lost.delete(observed.name);
    else if (known !== undefined) this.#lost.set(observed.name, known);
    return super.observe(observed);
  }

  override observeResponse(response: ResponseObject): boolean {
    this.#lost.delete(response.metadata.name);
    return super.observeResponse(response);
  }

  forgetLost(isForgotten: (name: string) => boolean): void {
    for (const name of this.#lost.keys()) if (isForgotten(name)) this.#lost.delete(name);
  }
}
