/**
 * Nodes whose agents are one watch: each change of a NodeProxy is answered at once with a status that says it is in
 * force.
 */
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { createReflector, type Reflector } from '../../src/kube/reflector.ts';
import type { ClusterFixture } from '../operator/clusterFixture.ts';

const nodeProxies = '/apis/proxyconfig.dev/v1alpha1/nodeproxies';
const atOnce = 16;

export class SimulatedFleet {
  readonly #cluster: ClusterFixture;
  readonly #reflector: Reflector;
  /** The masquerade bit that each node was told last. */
  readonly #told = new Map<string, number>();
  #nodes = 0;
  #failure: unknown;
  answers = 0;

  constructor(cluster: ClusterFixture) {
    this.#cluster = cluster;
    const take = (_id: unknown, nodeProxy: NodeProxy): void => this.#take(nodeProxy);
    this.#reflector = createReflector<NodeProxy>({
      client: cluster.client,
      path: nodeProxies,
      decode: (object) => object as NodeProxy,
      handler: { onAdd: take, onUpdate: take, onDelete: () => undefined },
    });
    this.#reflector.start();
  }

  /** Nodes and their agents' Pods. Throws when the deadline passes before there are as many. */
  async growTo(nodes: number, deadline: number): Promise<void> {
    const numbers = Array.from({ length: nodes - this.#nodes }, (_, index) => this.#nodes + index).values();
    const worker = async (): Promise<void> => {
      for (const number of numbers) {
        if (performance.now() > deadline)
          throw new Error(`making nodes took too long: ${number} of ${nodes} were there`);
        await this.#cluster.addNode(`node-${String(number).padStart(5, '0')}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    this.#nodes = nodes;
  }

  /** How many nodes were told that bit last. */
  toldBit(bit: number): number {
    return [...this.#told.values()].filter((own) => own === bit).length;
  }

  /** The last answer that did not arrive, for error messages. */
  explain(): string {
    return this.#failure instanceof Error ? this.#failure.message : '';
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }

  #take({ metadata, spec, status }: NodeProxy): void {
    this.#told.set(metadata.name, (spec.config as unknown as NodeConfig).masquerade.bit);
    if (status?.observedGeneration === metadata.generation) return;
    this.answers += 1;
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: 'Synced',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const body = {
      status: {
        observedGeneration: metadata.generation,
        state: 'Ready',
        mode: 'iptables',
        revision: spec.revision,
        conditions: [ready],
      },
    };
    this.#cluster.client
      .send('PATCH', `${nodeProxies}/${metadata.name}/status`, { contentType: 'application/merge-patch+json', body })
      .catch((error: unknown) => {
        this.#failure = error;
      });
  }
}
