/**
 * @module The operator process: watches, and lets `reconcile` decide. The only file that knows @dot-i/k8s-operator.
 *
 * What the base class brings is its frame: init, start, stop, watchResource. What it does badly is overridden here (seen in
 * 1.3.9): a watch error ends the process, a watch starts anew without a resourceVersion and so loses deletes, and errors of
 * status and finalizer writes are swallowed.
 */
import { once } from 'node:events';
import os from 'node:os';
import operatorModule, { type ResourceEvent, type ResourceMeta } from '@dot-i/k8s-operator';
import type { NodeProxy } from '../api/nodeProxy.ts';
import type { ProxyConfig } from '../api/proxyConfig.ts';
import type { OperatorConfig } from '../config.ts';
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import { createEventRecorder, type EventRecorder } from '../kube/events.ts';
import { loadKubeConfig } from '../kube/kubeConfig.ts';
import { createReflector, type ObjectIdentity, type Reflector } from '../kube/reflector.ts';
import { createStatusWriter, type StatusWriter } from '../kube/statusWriter.ts';
import { createWorkQueue } from '../kube/workQueue.ts';
import { plain, startHttpServer, type HttpServer } from '../observability/httpServer.ts';
import { createLogger, type Logger } from '../observability/logger.ts';
import { decodeAgentPod, decodeNode, decodeNodeProxy, decodeProxyConfig, type AgentPod, type ClusterView, type KnownNode } from './clusterView.ts';
import { createOperatorMetrics, type OperatorMetrics } from './operatorMetrics.ts';
import { reconcile, type StatusUpdate } from './reconcile.ts';
import { fieldManager, writeNodes } from './writeNodes.ts';

export interface OperatorOptions {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  /** This process in events. */
  readonly instance: string;
  /** Least time from one status write of a ProxyConfig to its next. */
  readonly statusIntervalMs: number;
}

type OnEvent = (event: ResourceEvent) => Promise<void>;
type WatchedObject = ResourceEvent['object'];

const { ResourceEventType } = operatorModule;
const group = 'proxyconfig.dev';
const version = 'v1alpha1';
/** Also named in the agents' admission policy. */
const agentNamespace = 'proxyconfig-system';
/** Everything is reconciled under one key: which ProxyConfig wins a node is a question about all of them. */
const wholeCluster = 'cluster';
/** Changes that come together, such as the list at the start, are decided on together. */
const gatherMs = 50;
const concurrentWrites = 8;
const statusIntervalMs = 5000;

/** What `proxyconfig operator` runs: works until the signal fires, then writes what is due and resolves. */
export async function runOperator(config: OperatorConfig, signal: AbortSignal): Promise<void> {
  const logger = createLogger(config.logLevel);
  const client = createKubeClient(loadKubeConfig(config.kubernetes), { userAgent: `proxyconfig-operator/${config.version}` });
  const metrics = createOperatorMetrics();
  const operator = new ProxyConfigOperator({ client, logger, metrics, instance: os.hostname(), statusIntervalMs });
  const servers = startServers(config, { operator, logger, metrics });
  logger.info('operator starts', { version: config.version, server: client.server });
  try {
    // Starting ends with the first complete list, which without an API server may be never.
    await Promise.race([operator.start(), aborted(signal)]);
    await aborted(signal);
  } finally {
    operator.stop();
    await operator.stopped();
    await Promise.all(servers.map((server) => server.stop()));
    await client.close();
    logger.info('operator stopped');
  }
}

function startServers({ healthAddress, metricsAddress }: OperatorConfig, { operator, logger, metrics }: { operator: ProxyConfigOperator; logger: Logger; metrics: OperatorMetrics }): HttpServer[] {
  const onUnavailable = (cause: Error): void => logger.warn('a port cannot be had', { error: cause });
  const alive = { '/healthz': () => plain(200, 'ok'), '/livez': () => plain(200, 'ok') };
  const ready = { '/readyz': () => (operator.synced ? plain(200, 'ok') : plain(503, 'not everything is listed yet')) };
  const exposition = { '/metrics': async () => ({ status: 200, contentType: metrics.registry.contentType, body: await metrics.registry.metrics() }) };
  return [
    startHttpServer({ address: healthAddress, routes: { ...alive, ...ready }, onUnavailable }),
    startHttpServer({ address: metricsAddress, routes: exposition, onUnavailable }),
  ];
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

export class ProxyConfigOperator extends operatorModule.default {
  readonly #options: OperatorOptions;
  readonly #events: EventRecorder;
  readonly #nodes = new Map<string, KnownNode>();
  readonly #configs = new Map<string, ProxyConfig>();
  readonly #nodeProxies = new Map<string, NodeProxy>();
  readonly #agentPods = new Map<string, AgentPod>();
  readonly #reflectors: Reflector[] = [];
  /** By uid: an object made anew under its name has none of the status that was written before. */
  readonly #statusWriters = new Map<string, StatusWriter>();
  readonly #queue = createWorkQueue({
    reconcile: () => this.#reconcile(),
    onError: (_key, cause, retryInMs) => {
      this.#options.metrics.reconciliations.inc({ result: 'failed' });
      this.#options.logger.warn('reconciling failed', { error: cause, retryInMs });
    },
  });
  #synced = false;
  #stopped: Promise<void> | undefined;

  constructor(options: OperatorOptions) {
    super(options.logger);
    this.#options = options;
    this.#events = createEventRecorder({
      client: options.client,
      controller: 'proxyconfig.dev/operator',
      instance: options.instance,
      onError: (cause) => options.logger.warn('an event was lost', { error: cause }),
    });
  }

  /** True once everything has been listed; nothing is written before. */
  get synced(): boolean {
    return this.#synced;
  }

  protected override async init(): Promise<void> {
    await Promise.all([
      this.watchResource(group, version, 'proxyconfigs', (event) => this.#keep(event, this.#configs, decodeProxyConfig)),
      this.watchResource(group, version, 'nodeproxies', (event) => this.#keep(event, this.#nodeProxies, decodeNodeProxy)),
      this.watchResource('', 'v1', 'nodes', (event) => this.#keep(event, this.#nodes, decodeNode)),
      this.watchResource('', 'v1', 'pods', (event) => this.#keep(event, this.#agentPods, decodeAgentPod), agentNamespace),
    ]);
    this.#synced = true;
    this.#options.logger.info('everything is listed', { nodes: this.#nodes.size, proxyConfigs: this.#configs.size });
    this.#queue.add(wholeCluster);
  }

  override stop(): void {
    this.#stopped ??= this.#shutDown();
  }

  /** Resolves when nothing runs any more and what waited to be written has been tried once. */
  async stopped(): Promise<void> {
    await this.#stopped;
  }

  async #shutDown(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
    await this.#queue.stop();
    await Promise.all([...this.#statusWriters.values()].map((writer) => writer.stop()));
  }

  /** Resolves when the first list has been handed over; the watch goes on until `stop`. */
  // oxlint-disable-next-line max-params -- the base class's signature
  protected override async watchResource(apiGroup: string, apiVersion: string, plural: string, onEvent: OnEvent, namespace?: string): Promise<void> {
    const id = apiGroup === '' ? plural : `${plural}.${apiGroup}`;
    const tell = (type: ResourceEvent['type'], object: WatchedObject): void => {
      onEvent({ type, object, meta: metaOf(id, object) }).catch((cause: unknown) => this.#options.logger.error('an object was not understood', { id, error: cause }));
    };
    const reflector = createReflector<WatchedObject>({
      client: this.#options.client,
      path: this.getCustomResourceApiUri(apiGroup, apiVersion, plural, namespace),
      decode: (object) => object as WatchedObject,
      handler: {
        onAdd: (_id, object) => tell(ResourceEventType.Added, object),
        onUpdate: (_id, object) => tell(ResourceEventType.Modified, object),
        onDelete: (identity) => tell(ResourceEventType.Deleted, remainsOf(identity)),
      },
      onError: (cause, retryInMs) => {
        this.#options.metrics.watchErrors.inc({ resource: plural });
        this.#options.logger.warn('watching failed', { id, error: cause, retryInMs });
      },
    });
    this.#reflectors.push(reflector);
    reflector.start();
    await reflector.synced;
  }

  /** The path on the API server; unlike upstream's also for the core group, and without the server's address, which is the client's. */
  protected override getCustomResourceApiUri(apiGroup: string, apiVersion: string, plural: string, namespace?: string): string {
    const prefix = apiGroup === '' ? `/api/${apiVersion}` : `/apis/${apiGroup}/${apiVersion}`;
    return namespace === undefined ? `${prefix}/${plural}` : `${prefix}/namespaces/${namespace}/${plural}`;
  }

  /** Hands the status to the object's paced writer, which applies it server-side, retries, and does not write what is there. */
  protected override async setResourceStatus(meta: ResourceMeta, status: unknown): Promise<null> {
    const uid = this.#configs.get(meta.name)?.metadata.uid ?? '';
    const writer = this.#statusWriters.get(uid) ?? this.#createStatusWriter(meta.name);
    this.#statusWriters.set(uid, writer);
    writer.write(status as object);
    return null;
  }

  protected override patchResourceStatus(): Promise<never> {
    return unused('patchResourceStatus', 'a status is applied as a whole: setResourceStatus');
  }

  protected override handleResourceFinalizer(): Promise<never> {
    return unused('handleResourceFinalizer', 'no finalizer stands on a ProxyConfig: deleting one never removes a rule');
  }

  protected override setResourceFinalizers(): Promise<never> {
    return unused('setResourceFinalizers', 'no finalizer stands on a ProxyConfig: deleting one never removes a rule');
  }

  protected override registerCustomResourceDefinition(): Promise<never> {
    return unused('registerCustomResourceDefinition', 'kubectl apply -k installs the CRDs; the operator may not');
  }

  async #keep<Kept>(event: ResourceEvent, into: Map<string, Kept>, decode: (object: unknown) => Kept | undefined): Promise<void> {
    const record = event.type === ResourceEventType.Deleted ? undefined : decode(event.object);
    if (record === undefined) into.delete(event.meta.name);
    else into.set(event.meta.name, record);
    if (this.#synced) this.#queue.add(wholeCluster, gatherMs);
  }

  async #reconcile(): Promise<undefined> {
    const { client, logger, metrics } = this.#options;
    const { statusUpdates, nodeWrites } = reconcile(this.#view(), new Date());
    metrics.observe(statusUpdates);
    this.#dropStatusWriters();
    // Status first: it says "reconciling" before the first node is told.
    for (const update of statusUpdates) await this.#report(update);
    if (nodeWrites.length > 0) {
      logger.info('telling nodes what to run', { count: nodeWrites.length, nodes: nodeWrites.map(({ node }) => node) });
      await writeNodes(nodeWrites, { client, concurrency: concurrentWrites, onWritten: (written) => this.#learn(written) });
    }
    metrics.reconciliations.inc({ result: 'done' });
  }

  #view(): ClusterView {
    const readyAgents = new Set([...this.#agentPods.values()].filter(({ ready }) => ready).map(({ node }) => node));
    return { nodes: this.#nodes, configs: this.#configs, nodeProxies: this.#nodeProxies, readyAgents };
  }

  /** Known at once what was written, so that the next turn does not write it again from older knowledge. */
  #learn(written: unknown): void {
    this.#options.metrics.nodeWrites.inc();
    const nodeProxy = decodeNodeProxy(written);
    this.#nodeProxies.set(nodeProxy.metadata.name, nodeProxy);
    this.#queue.add(wholeCluster, gatherMs);
  }

  async #report({ config, status, changed, event }: StatusUpdate): Promise<void> {
    const { name, uid = '' } = config.metadata;
    // A writer that exists is told every time: what it has waiting may be out of date.
    if (changed || this.#statusWriters.has(uid)) await this.setResourceStatus(metaOf('proxyconfigs', config), status);
    if (!event) return;
    this.#options.logger.info(event.message, { proxyConfig: name, reason: event.reason });
    const regarding = { apiVersion: `${group}/${version}`, kind: 'ProxyConfig', name, uid };
    await this.#events.record({ regarding, type: event.type, reason: event.reason, action: 'Resolve', note: event.message });
  }

  #createStatusWriter(name: string): StatusWriter {
    return createStatusWriter({
      client: this.#options.client,
      apiVersion: `${group}/${version}`,
      kind: 'ProxyConfig',
      name,
      path: `/apis/${group}/${version}/proxyconfigs/${name}`,
      fieldManager,
      intervalMs: this.#options.statusIntervalMs,
      onError: (cause, retryInMs) => this.#options.logger.warn('a status was not written', { proxyConfig: name, error: cause, retryInMs }),
    });
  }

  #dropStatusWriters(): void {
    const standing = new Set([...this.#configs.values()].map(({ metadata }) => metadata.uid));
    for (const [uid, writer] of this.#statusWriters) {
      if (standing.has(uid)) continue;
      this.#statusWriters.delete(uid);
      void writer.stop();
    }
  }
}

type Identified = Pick<WatchedObject, 'apiVersion' | 'kind'> & { readonly metadata?: { name?: string; namespace?: string; resourceVersion?: string } };

function metaOf(id: string, { apiVersion = '', kind = '', metadata }: Identified): ResourceMeta {
  const { name = '', namespace, resourceVersion = '' } = metadata ?? {};
  return { id, name, resourceVersion, apiVersion, kind, ...(namespace ? { namespace } : {}) };
}

/** Of a deleted object only its identity is left. */
function remainsOf({ key, uid }: ObjectIdentity): WatchedObject {
  return { metadata: { name: key.slice(key.indexOf('/') + 1), uid } };
}

function unused(method: string, instead: string): Promise<never> {
  return Promise.reject(new Error(`${method} is not used: ${instead}`));
}
