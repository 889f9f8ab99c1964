/**
 * @module Agents for tests with a real API server: each reports on what its NodeProxy says, a moment after it was
 * assigned, as if the kernel had taken it.
 */
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ClusterFixture } from './clusterFixture.ts';

const path = '/apis/proxyconfig.dev/v1alpha1/nodeproxies';

/** `start` after the cluster is there; `stop` before it goes. */
export class FleetOfAgents {
  readonly #cluster: ClusterFixture;
  readonly #bits = new Map<string, number>();
  /** Nodes whose agents say nothing. */
  readonly mute = new Set<string>();
  /** When agents took a configuration, named by its masquerade bit. */
  readonly reports: { readonly bit: number; readonly at: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reporting: Promise<void> = Promise.resolve();
  /** Max number of nodes that were assigned something else than they ran at the same time; a new node runs nothing. */
  maxChanging = 0;

  constructor(cluster: ClusterFixture) {
    this.#cluster = cluster;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#reporting = this.#reporting.then(() => this.#reportAll()).catch(() => undefined);
    }, 60);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reporting;
  }

  /** How many nodes run a configuration, named by its masquerade bit. */
  running(bit: number): number {
    return [...this.#bits.values()].filter((own) => own === bit).length;
  }

  async assigned(): Promise<Record<string, string>> {
    return Object.fromEntries((await this.#all()).map(({ metadata, spec }) => [metadata.name, spec.revision]));
  }

  async #all(): Promise<NodeProxy[]> {
    return (await this.#cluster.client.get<{ items: NodeProxy[] }>(path)).items;
  }

  async #reportAll(): Promise<void> {
    const all = await this.#all();
    await this.#forgetDeletedNodes();
    const unreported = all.filter(
      ({ metadata, status }) => status?.observedGeneration !== metadata.generation && !this.mute.has(metadata.name),
    );
    this.maxChanging = Math.max(
      this.maxChanging,
      unreported.filter((nodeProxy) => ![undefined, bitOf(nodeProxy)].includes(this.#bits.get(nodeProxy.metadata.name)))
        .length,
    );
    for (const nodeProxy of unreported) {
      const { metadata } = nodeProxy;
      const bit = bitOf(nodeProxy);
      this.reports.push({ bit, at: performance.now() });
      await this.#cluster.agentApplies(metadata.name);
      this.#bits.set(metadata.name, bit);
    }
  }

  /** A node without a NodeProxy goes on with what it runs. */
  async #forgetDeletedNodes(): Promise<void> {
    const { items } = await this.#cluster.client.get<{ items: { metadata: { name: string } }[] }>('/api/v1/nodes');
    const existing = new Set(items.map(({ metadata }) => metadata.name));
    for (const name of this.#bits.keys()) if (!existing.has(name)) this.#bits.delete(name);
  }
}

function bitOf({ spec }: NodeProxy): number {
  return (spec.config?.['masquerade'] as { bit: number } | undefined)?.bit ?? 0;
}
