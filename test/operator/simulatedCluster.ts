/**
 * @module A cluster with a virtual clock for the operator's pure core: nodes and agents that are slow, fail, flap and vanish, an API server that is
 * a few maps, and an operator that may be killed between any two writes. After each write it checks what must always hold.
 */
import { expect } from '@jest/globals';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { NodeProxy } from '../../src/api/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/proxyConfig.ts';
import { decodeRevision, type ClusterView, type KnownNode, type KnownRevision } from '../../src/operator/clusterView.ts';
import { reconcile } from '../../src/operator/reconcile.ts';
import type { RevisionWrite } from '../../src/operator/revisions.ts';
import { portion } from '../../src/operator/rolloutState.ts';
import { SinceMemory } from '../../src/operator/since.ts';
import type { NodeWrite } from '../../src/operator/writeNodes.ts';
import { node, now as epoch, proxyConfig } from './objects.ts';

/** How agents take a configuration, by their node's number: `bad` ones refuse it, `hanging` ones never answer. */
export interface Quality {
  readonly bad: readonly number[];
  readonly hanging: readonly number[];
}

type Spec = Partial<Omit<ProxyConfig['spec'], 'rollout'>> & { readonly rollout?: Partial<ProxyConfig['spec']['rollout']> };
type Told = Pick<NodeProxy['spec'], 'revision'> & { readonly bit: number };

export class SimulatedCluster {
  readonly nodes = new Map<string, KnownNode>();
  readonly nodeProxies = new Map<string, NodeProxy>();
  readonly revisions = new Map<string, KnownRevision>();
  readonly #lost = new Map<string, NodeProxy>();
  readonly #downSince = new Map<string, number>();
  readonly #qualities = new Map<number, Quality>();
  /** What each node's kernel holds, whatever objects there are. */
  readonly #told = new Map<string, Told>();
  /** Completed revisions, the last one last. */
  readonly #completed: string[] = [];
  readonly #givenUp = new Set<string>();
  config: ProxyConfig;
  now = epoch.getTime();
  writes = 0;
  nodeWrites = 0;
  #since = new SinceMemory();
  #version = 1;

  constructor(count: number, spec: Spec) {
    for (let index = 0; index < count; index += 1) this.addNode();
    this.config = proxyConfig('all', spec as Parameters<typeof proxyConfig>[1]);
    this.#setSpec(spec);
  }

  get state(): string {
    return this.config.status?.rollout?.state ?? 'none';
  }

  get revision(): string {
    return this.config.status?.observedHash ?? '';
  }

  running(): (number | undefined)[] {
    return [...this.nodes.keys()].map((name) => this.#told.get(name)?.bit);
  }

  // What people do.

  /** A change for nodes is told by its masquerade bit. */
  changeSpec(spec: Spec, quality: Quality = { bad: [], hanging: [] }): void {
    const bit = spec.masquerade?.bit;
    if (bit !== undefined) this.#qualities.set(bit, quality);
    this.#setSpec({ ...this.config.spec, ...spec, rollout: { ...this.config.spec.rollout, ...spec.rollout } });
  }

  #setSpec(spec: Spec): void {
    const { metadata, status } = this.config;
    const generation = (metadata.generation ?? 0) + 1;
    this.config = proxyConfig('all', { ...spec, generation, ...(status && { status }) } as Parameters<typeof proxyConfig>[1]);
  }

  addNode(): void {
    const name = `node-${String(this.nodes.size).padStart(2, '0')}`;
    this.nodes.set(name, node(name));
  }

  deleteNode(index: number): void {
    const name = this.#nameOf(index);
    if (name === undefined || this.nodes.size === 1) return;
    for (const map of [this.nodes, this.nodeProxies, this.#lost, this.#downSince, this.#told]) map.delete(name);
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
    if (!isDown) this.#downSince.delete(name);
    else if (!this.#downSince.has(name)) this.#downSince.set(name, this.now);
  }

  /** Every agent in reach answers what it was told, as it takes it. */
  agentsAnswer(): void {
    for (const name of this.nodes.keys()) if (!this.#downSince.has(name)) this.#answer(name, true);
  }

  flap(index: number): void {
    const name = this.#nameOf(index);
    if (name !== undefined && !this.#downSince.has(name)) this.#answer(name, false);
  }

  #answer(name: string, isWell: boolean): void {
    const nodeProxy = this.nodeProxies.get(name);
    const told = this.#told.get(name);
    if (!nodeProxy || !told) return;
    const { bad, hanging } = this.#qualities.get(told.bit) ?? { bad: [], hanging: [] };
    const index = [...this.nodes.keys()].indexOf(name);
    if (hanging.includes(index)) return;
    const serves = isWell && !bad.includes(index);
    const ready = { type: 'Ready', status: serves ? 'True' : 'False', reason: serves ? 'Synced' : 'RestoreFailed', message: '', lastTransitionTime: 'whenever' } as const;
    const status = { observedGeneration: nodeProxy.metadata.generation ?? 0, state: serves ? 'Ready' : 'Degraded', revision: told.revision, conditions: [ready] } as const;
    this.nodeProxies.set(name, { ...nodeProxy, status: { ...status, conditions: [ready] } });
  }

  // What the operator does.

  /** Forgets everything that is not on the API server; its successor's clock may be off. */
  restartOperator(): void {
    this.#since = new SinceMemory();
    this.#lost.clear();
  }

  /** One turn, of which only so many writes reach the API server. */
  turn(survivingWrites = Infinity): void {
    const { revisionWrites, statusUpdates, nodeWrites } = reconcile(this.#view(), this.#since.turn(this.now));
    const writes = [
      ...revisionWrites.map((write) => () => this.#applyRevision(write)),
      ...statusUpdates.filter(({ changed }) => changed).map(({ status }) => () => this.#applyStatus(status)),
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
      this.turn();
      this.agentsAnswer();
      this.turn();
      this.now += this.writes === before ? 30_000 : 5000;
    }
  }

  #view(): ClusterView {
    const nodes = new Map([...this.nodes].map(([name, known]) => [name, { ...known, ready: !this.#downSince.has(name) }]));
    const readyAgents = new Set([...this.nodes.keys()].filter((name) => !this.#downSince.has(name)));
    return { nodes, configs: new Map([['all', this.config]]), nodeProxies: this.nodeProxies, lostNodeProxies: this.#lost, revisions: this.revisions, readyAgents };
  }

  #applyRevision({ method, path, options }: RevisionWrite): void {
    if (method === 'DELETE') this.revisions.delete(path.slice(path.lastIndexOf('/') + 1));
    const revision = method === 'POST' ? decodeRevision(options.body) : undefined;
    if (revision) this.revisions.set(revision.name, revision);
  }

  #applyStatus(status: NonNullable<ProxyConfig['status']>): void {
    this.config = { ...this.config, status };
    const { state, revision = '' } = status.rollout ?? {};
    if (state === 'Complete' && this.#completed.at(-1) !== revision) this.#completed.push(revision);
    if (state === 'RolledBack') this.#givenUp.add(`${revision} ${this.config.metadata.generation}`);
  }

  #applyNode({ node: name, options }: NodeWrite): void {
    const body = options.body as NodeProxy | { path: string; value: unknown }[];
    const spec = Array.isArray(body) ? (body.find(({ path }) => path === '/spec')?.value as NodeProxy['spec']) : body.spec;
    const metadata = Array.isArray(body) ? this.nodeProxies.get(name)?.metadata : body.metadata;
    if (metadata === undefined) throw new Error(`a patch of a NodeProxy that is not there: ${name}`);
    this.#checkWrite(name, spec);
    this.nodeWrites += 1;
    const { status } = this.nodeProxies.get(name) ?? {};
    const owners = [{ apiVersion: 'v1', kind: 'Node', name, uid: `uid-of-${name}` }];
    this.#version += 1;
    const stored = { ...metadata, ownerReferences: owners, generation: (metadata.generation ?? 0) + 1, resourceVersion: String(this.#version) };
    this.nodeProxies.set(name, { apiVersion: '', kind: 'NodeProxy', metadata: stored, spec, ...(status && { status }) });
    this.#lost.delete(name);
    this.#told.set(name, { revision: spec.revision, bit: (spec.config as unknown as NodeConfig).masquerade.bit });
  }

  // What must always hold.

  #checkWrite(name: string, { revision }: NodeProxy['spec']): void {
    const before = this.#told.get(name);
    expect([this.revision, ...this.#completed.slice(-1)]).toContain(revision);
    if (before?.revision === revision) return;
    if (this.#givenUp.has(`${revision} ${this.config.metadata.generation}`)) throw new Error(`${name} is told the revision that was rolled back`);
    if (before === undefined) return;
    if (this.config.spec.paused) throw new Error(`${name} is changed while paused`);
    if (this.#isServing(name)) this.#checkBudget(name);
    if (revision === this.revision && this.state === 'Progressing') this.#checkSteps(revision);
  }

  #checkBudget(name: string): void {
    const most = portion(this.config.spec.rollout.maxUnavailable, this.nodes.size);
    const others = [...this.nodes.keys()].filter((other) => other !== name && !this.#isServing(other) && !this.#isLongDown(other));
    if (others.length + 1 > most) throw new Error(`${name} is changed while ${others.join(', ')} of at most ${most} do not serve`);
  }

  #checkSteps(revision: string): void {
    const [first] = this.config.spec.rollout.steps ?? [];
    const { step, previousRevision } = this.config.status?.rollout ?? {};
    if (first?.setNodes === undefined || step?.startsWith('1/') !== true || previousRevision === undefined) return;
    const told = [...this.#told.values()].filter((other) => other.revision === revision).length;
    expect(told + 1).toBeLessThanOrEqual(portion(first.setNodes, this.nodes.size));
  }

  #isServing(name: string): boolean {
    const { metadata, spec, status } = this.nodeProxies.get(name) ?? {};
    const isReady = status?.observedGeneration === metadata?.generation && status?.conditions?.[0]?.status === 'True' && status.revision === spec?.revision;
    return isReady && !this.#downSince.has(name);
  }

  #isLongDown(name: string): boolean {
    return this.now - (this.#downSince.get(name) ?? this.now) >= this.config.spec.rollout.progressDeadlineSeconds * 1000;
  }

  #nameOf(index: number): string | undefined {
    return [...this.nodes.keys()][index % this.nodes.size];
  }
}
