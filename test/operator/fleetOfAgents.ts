/**
 * @module Agents for tests with a real API server: each answers what its NodeProxy says, a moment after it was told, as
 * if the kernel had taken it.
 */
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ClusterFixture } from './clusterFixture.ts';

const path = '/apis/proxyconfig.dev/v1alpha1/nodeproxies';

export class FleetOfAgents {
  readonly #cluster: ClusterFixture;
  readonly #bits = new Map<string, number>();
  /** Nodes whose agents say nothing. */
  readonly mute = new Set<string>();
  /** When agents took a configuration, told by its masquerade bit. */
  readonly answers: { readonly bit: number; readonly at: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #clockAt: Promise<void> = Promise.resolve();
  /** The most nodes that were told something else than they ran at the same time. */
  most = 0;

  constructor(cluster: ClusterFixture) {
    this.#cluster = cluster;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#clockAt = this.#clockAt.then(() => this.#answerAll()).catch(() => undefined);
    }, 60);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#clockAt;
  }

  /** How many nodes run a configuration, told by its masquerade bit. */
  running(bit: number): number {
    return [...this.#bits.values()].filter((own) => own === bit).length;
  }

  async assigned(): Promise<Record<string, string>> {
    return Object.fromEntries((await this.#all()).map(({ metadata, spec }) => [metadata.name, spec.revision]));
  }

  async #all(): Promise<NodeProxy[]> {
    return (await this.#cluster.client.get<{ items: NodeProxy[] }>(path)).items;
  }

  async #answerAll(): Promise<void> {
    const all = await this.#all();
    await this.#forgetDeletedNodes();
    const unanswered = all.filter(
      ({ metadata, status }) => status?.observedGeneration !== metadata.generation && !this.mute.has(metadata.name),
    );
    this.most = Math.max(
      this.most,
      unanswered.filter((nodeProxy) => bitOf(nodeProxy) !== this.#bits.get(nodeProxy.metadata.name)).length,
    );
    for (const nodeProxy of unanswered) {
      const { metadata } = nodeProxy;
      const bit = bitOf(nodeProxy);
      this.answers.push({ bit, at: performance.now() });
      await this.#cluster.agentApplies(metadata.name);
      this.#bits.set(metadata.name, bit);
    }
  }

  /** A node without a NodeProxy goes on with what it runs. */
  async #forgetDeletedNodes(): Promise<void> {
    const { items } = await this.#cluster.client.get<{ items: { metadata: { name: string } }[] }>('/api/v1/nodes');
    const standing = new Set(items.map(({ metadata }) => metadata.name));
    for (const name of this.#bits.keys()) if (!standing.has(name)) this.#bits.delete(name);
  }
}

function bitOf({ spec }: NodeProxy): number {
  return (spec.config?.['masquerade'] as { bit: number } | undefined)?.bit ?? 0;
}
