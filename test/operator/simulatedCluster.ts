/**
 * @module A cluster with a virtual clock for the operator's pure core: two pools of nodes with a ProxyConfig each,
 * agents that are slow, fail, flap and vanish, an API server that is a few maps, and an operator that may be killed
 * between any two writes. After each write rolloutInvariants.ts checks what must always hold.
 */
import { expect } from '@jest/globals';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import {
  decodeRevision,
  type ClusterView,
  type KnownNode,
  type KnownRevision,
} from '../../src/operator/watch/clusterView.ts';
import { reconcile } from '../../src/operator/reconcile.ts';
import type { RevisionWrite } from '../../src/operator/rollout/revisions.ts';
import { SinceTracker } from '../../src/operator/rollout/since.ts';
import type { NodeWrite } from '../../src/operator/writes/nodeWrite.ts';
import { node, now as epoch, proxyConfig } from './objects.ts';
import { RolloutInvariants, type AssignedConfig } from './rolloutInvariants.ts';

/** How agents take a configuration, by their node's number: `bad` ones refuse it, `hanging` ones never report. */
export interface Quality {
  readonly bad: readonly number[];
  readonly hanging: readonly number[];
}

/** `all` governs the nodes that are not in the pool, `pool` those that are. */
export type ConfigName = 'all' | 'pool';
export const configNames = ['all', 'pool'] as const;

export type Spec = Partial<Omit<ProxyConfig['spec'], 'rollout' | 'nodeSelector' | 'priority'>> & {
  readonly rollout?: Partial<ProxyConfig['spec']['rollout']>;
};
type Status = NonNullable<ProxyConfig['status']>;
type Traits = Parameters<typeof proxyConfig>[1];

const poolLabels = { pool: 'special' };
const ofPool: Record<ConfigName, Traits> = {
  all: {},
  pool: { nodeSelector: { matchLabels: poolLabels }, priority: 1 },
};

/** What an agent reports of the revision that its node holds. */
function reportOf({ metadata }: NodeProxy, revision: string, serves: boolean): NonNullable<NodeProxy['status']> {
  const [status, reason] = serves ? (['True', 'Synced'] as const) : (['False', 'RestoreFailed'] as const);
  const conditions = [{ type: 'Ready', status, reason, message: '', lastTransitionTime: 'whenever' }];
  return { observedGeneration: metadata.generation ?? 0, state: serves ? 'Ready' : 'Degraded', revision, conditions };
}

const numbered = (index: number): string => `node-${String(index).padStart(2, '0')}`;

export class SimulatedCluster {
  readonly nodes = new Map<string, KnownNode>();
  readonly nodeProxies = new Map<string, NodeProxy>();
  readonly revisions = new Map<string, KnownRevision>();
  readonly configs = new Map<string, ProxyConfig>();
  /** What each node's kernel holds, whatever objects there are; undefined for a node that nobody knows anything of. */
  readonly assigned = new Map<string, AssignedConfig>();
  readonly downSince = new Map<string, number>();
  /** Since it was made, when each node came into reach (up) or went out of it. */
  readonly reach = new Map<string, { readonly at: number; readonly isUp: boolean }[]>();
  readonly #lost = new Map<string, NodeProxy>();
  readonly #qualities = new Map<number, Quality>();
  readonly #invariants = new RolloutInvariants(this);
  now = epoch.getTime();
  writes = 0;
  nodeWrites = 0;
  #since = new SinceTracker();
  #version = 1;
  #made = 0;

  constructor(count: number, spec: Spec) {
    for (let index = 0; index < count; index += 1) this.addNode();
    for (const name of configNames) this.#setSpec(name, spec);
  }

  config(name: ConfigName = 'all'): ProxyConfig {
    const config = this.configs.get(name);
    if (!config) throw new Error(`there is no ProxyConfig ${name}`);
    return config;
  }

  get state(): string {
    return this.stateOf('all');
  }

  stateOf(name: ConfigName): string {
    return this.config(name).status?.rollout?.state ?? 'none';
  }

  /** The masquerade bit that each node's kernel holds. */
  running(): (number | undefined)[] {
    return [...this.nodes.keys()].map((name) => this.assigned.get(name)?.bit);
  }

  governing(nodeName: string): ConfigName {
    return this.nodes.get(nodeName)?.labels['pool'] === undefined ? 'all' : 'pool';
  }

  // What people do.

  /** A change for nodes is named by its masquerade bit. */
  changeSpec(spec: Spec, quality: Quality = { bad: [], hanging: [] }, name: ConfigName = 'all'): void {
    const bit = spec.masquerade?.bit;
    if (bit !== undefined) this.#qualities.set(bit, quality);
    const { spec: before } = this.config(name);
    this.#setSpec(name, { ...before, ...spec, rollout: { ...before.rollout, ...spec.rollout } });
  }

  #setSpec(name: ConfigName, spec: Spec): void {
    const { metadata, status } = this.configs.get(name) ?? {};
    const made = proxyConfig(name, {
      ...spec,
      ...ofPool[name],
      generation: (metadata?.generation ?? 0) + 1,
      ...(status && { status }),
    } as Traits);
    this.configs.set(name, { ...made, metadata: { ...made.metadata, ...(metadata && { uid: metadata.uid }) } });
  }

  /** Deleted, and made anew under its name: its status is gone, and the garbage collector takes its revisions. */
  makeConfigAnew(name: ConfigName, spec: Spec = {}): void {
    const { metadata, spec: before } = this.config(name);
    for (const [id, { owner }] of this.revisions) if (owner === metadata.uid) this.revisions.delete(id);
    this.configs.delete(name);
    this.#setSpec(name, { ...before, ...spec, rollout: { ...before.rollout, ...spec.rollout } });
    this.#made += 1;
    const made = this.config(name);
    this.configs.set(name, { ...made, metadata: { ...made.metadata, uid: `uid-of-${name}-${this.#made}` } });
    this.#invariants.forget(name);
  }

  /** Its name is free; the UID of a name that is taken again is the same. */
  addNode(): void {
    let index = this.nodes.size;
    while (this.nodes.has(numbered(index))) index += 1;
    this.nodes.set(numbered(index), node(numbered(index)));
    this.reach.set(numbered(index), [{ at: this.now, isUp: true }]);
  }

  /** Into the pool, or out of it. */
  moveNode(index: number): void {
    const name = this.#nameOf(index) ?? '';
    const known = this.nodes.get(name);
    if (known) this.nodes.set(name, { ...known, labels: this.governing(name) === 'all' ? poolLabels : {} });
  }

  deleteNode(index: number): void {
    const name = this.#nameOf(index);
    if (name === undefined || this.nodes.size === 1) return;
    for (const map of [this.nodes, this.nodeProxies, this.#lost, this.downSince, this.reach, this.assigned])
      map.delete(name);
  }

  deleteNodeProxy(index: number): void {
    const name = this.#nameOf(index) ?? '';
    const nodeProxy = this.nodeProxies.get(name);
    if (nodeProxy) this.#lost.set(name, nodeProxy);
    this.nodeProxies.delete(name);
  }

  // What nodes and agents do.

  setDown(index: number, isDown: boolean): void {
    const name = this.#nameOf(index) ?? '';
    if (isDown === this.downSince.has(name)) return;
    if (isDown) this.downSince.set(name, this.now);
    else this.downSince.delete(name);
    this.reach.get(name)?.push({ at: this.now, isUp: !isDown });
    // A watch tells the operator of it, who has no time to write.
    this.reconcile(0);
  }

  /** Every agent in reach reports on what it was assigned. */
  agentsReport(): void {
    for (const name of this.nodes.keys()) if (!this.downSince.has(name)) this.#report(name, true);
  }

  flap(index: number): void {
    const name = this.#nameOf(index);
    if (name !== undefined && !this.downSince.has(name)) this.#report(name, false);
  }

  #report(name: string, isWell: boolean): void {
    const nodeProxy = this.nodeProxies.get(name);
    const assigned = this.assigned.get(name);
    if (!nodeProxy || !assigned) return;
    const { bad, hanging } = this.#qualities.get(assigned.bit) ?? { bad: [], hanging: [] };
    const index = [...this.nodes.keys()].indexOf(name);
    if (hanging.includes(index)) return;
    const serves = isWell && !bad.includes(index);
    this.nodeProxies.set(name, { ...nodeProxy, status: reportOf(nodeProxy, assigned.revision, serves) });
  }

  // What the operator does.

  /**
   * Forgets everything that is not on the API server; its successor's clock may be off, and it knows nothing of nodes
   * without a NodeProxy.
   */
  restartOperator(): void {
    this.#since = new SinceTracker();
    this.#lost.clear();
    for (const name of this.assigned.keys()) if (!this.nodeProxies.has(name)) this.assigned.delete(name);
  }

  /** One reconciliation, of which only so many writes reach the API server. */
  reconcile(survivingWrites = Infinity): void {
    const { revisionWrites, statusUpdates, nodeWrites } = reconcile(this.#view(), this.#since.clockAt(this.now));
    const writes = [
      ...revisionWrites.map((write) => () => this.#applyRevision(write)),
      ...statusUpdates
        .filter(({ changed }) => changed)
        .map(
          ({ config, status }) =>
            () =>
              this.#applyStatus(config.metadata.name, status),
        ),
      ...nodeWrites.map((write) => () => this.#applyNode(write)),
    ];
    expect(new Set(nodeWrites.map(({ node: name }) => name)).size).toBe(nodeWrites.length);
    for (const write of writes.slice(0, survivingWrites)) write();
    this.writes += writes.length;
  }

  /** Everybody does what is due, for so long. */
  run(seconds: number): void {
    const end = this.now + seconds * 1000;
    while (this.now < end) {
      const before = this.writes;
      this.reconcile();
      this.agentsReport();
      this.reconcile();
      this.now = Math.min(end, this.now + (this.writes === before ? 30_000 : 5000));
    }
  }

  #view(): ClusterView {
    const nodes = new Map(
      [...this.nodes].map(([name, known]) => [name, { ...known, ready: !this.downSince.has(name) }]),
    );
    const readyAgents = new Set([...this.nodes.keys()].filter((name) => !this.downSince.has(name)));
    return {
      nodes,
      configs: this.configs,
      nodeProxies: this.nodeProxies,
      lostNodeProxies: this.#lost,
      revisions: this.revisions,
      readyAgents,
      unreadyAgents: new Set(this.downSince.keys()),
    };
  }

  #applyRevision({ method, path, options }: RevisionWrite): void {
    if (method === 'DELETE') this.revisions.delete(path.slice(path.lastIndexOf('/') + 1));
    const revision = method === 'POST' ? decodeRevision(options.body) : undefined;
    if (revision) this.revisions.set(revision.name, revision);
  }

  #applyStatus(name: string, status: Status): void {
    const config = { ...this.config(name as ConfigName), status };
    this.configs.set(name, config);
    this.#invariants.observe(config);
  }

  #applyNode({ node: name, options }: NodeWrite): void {
    const body = options.body as NodeProxy | { path: string; value: unknown }[];
    const spec = Array.isArray(body)
      ? (body.find(({ path }) => path === '/spec')?.value as NodeProxy['spec'])
      : body.spec;
    const metadata = Array.isArray(body) ? this.nodeProxies.get(name)?.metadata : body.metadata;
    if (metadata === undefined) throw new Error(`a patch of a NodeProxy that is not there: ${name}`);
    this.#invariants.check(name, spec);
    this.nodeWrites += 1;
    const { status } = this.nodeProxies.get(name) ?? {};
    const owners = [{ apiVersion: 'v1', kind: 'Node', name, uid: `uid-of-${name}` }];
    this.#version += 1;
    const stored = {
      ...metadata,
      ownerReferences: owners,
      generation: (metadata.generation ?? 0) + 1,
      resourceVersion: String(this.#version),
    };
    this.nodeProxies.set(name, {
      apiVersion: '',
      kind: 'NodeProxy',
      metadata: stored,
      spec,
      ...(status && { status }),
    });
    this.#lost.delete(name);
    this.assigned.set(name, { revision: spec.revision, bit: (spec.config as unknown as NodeConfig).masquerade.bit });
  }

  #nameOf(index: number): string | undefined {
    return [...this.nodes.keys()][index % this.nodes.size];
  }
}
