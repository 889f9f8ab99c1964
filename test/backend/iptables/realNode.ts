/**
 * A backend of iptables mode on a node with the real kernel, which is new for each test.
 */
import { afterEach, beforeEach } from '@jest/globals';
import type { Backend, SyncResult } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import type { Network } from '../../support/network.ts';
import { createEmptyNode } from '../../support/network.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { signal, state } from './services.ts';

type Node = Pick<Network, 'runOnNode' | 'close'>;
type Variant = 'nft' | 'legacy';

export class RealNode {
  readonly variant: Variant;
  readonly config: { readonly iptables: { readonly backend: 'Nft' | 'Legacy' } };
  /** A test may put another one in its place. */
  backend: Backend;
  readonly #nodes: Node[] = [];
  readonly #node: Node;

  constructor(variant: Variant) {
    this.variant = variant;
    this.config = { iptables: { backend: variant === 'nft' ? 'Nft' : 'Legacy' } };
    this.#node = this.#add();
    this.backend = this.newBackend();
  }

  get runOnNode(): Node['runOnNode'] {
    return this.#node.runOnNode;
  }

  /** One without memory on the same node. */
  newBackend(): Backend {
    return createBackend('iptables', 'ipv4', { run: this.runOnNode });
  }

  /** Every chain with its rules, without counters: `{ 'nat KUBE-SERVICES': ['-A KUBE-SERVICES …'] }`. */
  rules(variant: Variant = this.variant): Promise<Record<string, string[]>> {
    return rulesOn(this.#node, variant);
  }

  /** Gives an input to iptables-restore, beside what stands. */
  async load(input: string): Promise<void> {
    const file = `/usr/sbin/iptables-${this.variant}-restore`;
    await this.runOnNode({ file, args: ['--noflush'], input: [input], timeoutMs: 10_000 });
  }

  sync(manifests: readonly ServiceManifest[], changed: ReadonlySet<string> | 'all' = 'all'): Promise<SyncResult> {
    return this.backend.sync({ state: state(manifests, this.config), changed, signal });
  }

  /** What a node that was empty would hold. */
  async freshRules(manifests: readonly ServiceManifest[]): Promise<Record<string, string[]>> {
    const fresh = this.#add();
    const full = { state: state(manifests, this.config), changed: 'all', signal } as const;
    await createBackend('iptables', 'ipv4', { run: fresh.runOnNode }).sync(full);
    return rulesOn(fresh, this.variant);
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((each) => each.close()));
  }

  #add(): Node {
    const node = createEmptyNode();
    this.#nodes.push(node);
    return node;
  }
}

/** To be called in a `describe`: gives the node of the test that runs. */
export function nodeForEachTest(variant: Variant): () => RealNode {
  let node: RealNode;
  beforeEach(() => {
    node = new RealNode(variant);
  });
  afterEach(() => node.close());
  return () => node;
}

async function rulesOn({ runOnNode }: Node, variant: Variant): Promise<Record<string, string[]>> {
  const chains: Record<string, string[]> = {};
  let table = '';
  const onLine = (line: string): void => {
    if (line.startsWith('*')) table = line.slice(1);
    if (line.startsWith(':')) chains[`${table} ${line.slice(1).split(' ')[0]}`] = [];
    if (line.startsWith('-A ')) chains[`${table} ${line.split(' ')[1]}`]?.push(line);
  };
  await runOnNode({ file: `/usr/sbin/iptables-${variant}-save`, args: [], onLine, timeoutMs: 10_000 });
  return chains;
}
