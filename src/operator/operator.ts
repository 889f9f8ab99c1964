/**
 * @module The operator process: watches, and lets `reconcile` decide. The only file that knows @dot-i/k8s-operator.
 *
 * What the base class brings is its frame: init, start, stop, watchResource. What it does badly is overridden here
 * (seen in 1.3.9): a watch error ends the process, a watch starts anew without a resourceVersion and so loses deletes,
 * and errors of status and finalizer writes are swallowed.
 */
import operatorModule, { type ResourceEvent, type ResourceMeta } from '@dot-i/k8s-operator';
import type { NodeProxy } from '../api/generated/nodeProxy.ts';
import { isAlreadyExists, isNotFound } from '../kube/apiError.ts';
import type { KubeClient } from '../kube/client.ts';
import { createEventRecorder, type EventRecorder } from '../kube/events.ts';
import { createReflector, type Reflector } from '../kube/reflector.ts';
import { createWorkQueue } from '../kube/workQueue.ts';
import type { Logger } from '../observability/logger.ts';
import {
  decodeAgentPod,
  decodeNode,
  decodeNodeProxy,
  decodeProxyConfig,
  decodeRevision,
  type ClusterView,
} from './clusterView.ts';
import { type Heard, KnownObjects, WrittenObjects } from './knownObjects.ts';
import type { OperatorMetrics } from './operatorMetrics.ts';
import { reconcile, type Reconciliation, type StatusUpdate } from './reconcile.ts';
import { operatorNamespace, type RevisionWrite } from './revisions.ts';
import { ServiceOwners } from './serviceOwners.ts';
import { SinceMemory } from './since.ts';
import { metaOf, remainsOf } from './watchedObject.ts';
import { fieldManager, writeNodes } from './writeNodes.ts';

export interface OperatorOptions {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  /** This process in events. */
  readonly instance: string;
  /** Least time from one status write of a ProxyConfig to its next. */
  readonly statusIntervalMs: number;
  /** Milliseconds since the epoch that never go back. */
  readonly now: () => number;
}

type OnEvent = (event: ResourceEvent) => Promise<void>;
type WatchedObject = ResourceEvent['object'];

const { ResourceEventType } = operatorModule;
const group = 'proxyconfig.dev';
const version = 'v1alpha1';
/** Everything is reconciled under one key: which ProxyConfig wins a node is a question about all of them. */
const wholeCluster = 'cluster';
/**
 * Changes are gathered before a turn, so that a burst such as the first list is decided on once; in a large cluster for
 * 20 times as long as a turn takes.
 */
const leastGatherMs = 50;
const gatherPerLook = 20;
const concurrentWrites = 8;
/** From some events to the next where there are many. */
const moreEventsMs = 10_000;
/** Time alone never asks for more turns than this. */
const leastLookAgainMs = 100;

export class ProxyConfigOperator extends operatorModule.default {
  readonly #options: OperatorOptions;
  readonly #events: EventRecorder;
  readonly #nodes = new KnownObjects(decodeNode);
  readonly #configs = new WrittenObjects(decodeProxyConfig);
  readonly #nodeProxies = new WrittenObjects(decodeNodeProxy);
  readonly #revisions = new KnownObjects(decodeRevision);
  readonly #agentPods = new KnownObjects(decodeAgentPod);
  readonly #serviceOwners: ServiceOwners;
  readonly #reflectors: Reflector[] = [];
  readonly #lostNodeProxies = new Map<string, NodeProxy>();
  readonly #since = new SinceMemory();
  /** By uid of the ProxyConfig. */
  readonly #statusWrittenAt = new Map<string, number>();
  readonly #queue = createWorkQueue({
    reconcile: () => this.#reconcile(),
    onError: (_key, cause, retryInMs) => {
      this.#options.metrics.reconciliations.inc({ result: 'failed' });
      this.#options.logger.warn('reconciling failed', { error: cause, retryInMs });
    },
  });
  #gatherMs = leastGatherMs;
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
    this.#serviceOwners = new ServiceOwners({ ...options, events: this.#events });
  }

  /** True once everything has been listed; nothing is written before. */
  get synced(): boolean {
    return this.#synced;
  }

  protected override async init(): Promise<void> {
    // Only an event hangs on it: nodes need not wait where it may not be read.
    void this.watchResource('', 'v1', 'services', (event) => this.#keepService(event));
    await Promise.all([
      this.watchResource(group, version, 'proxyconfigs', (event) => this.#keep(event, this.#configs)),
      this.watchResource(
        'apps',
        'v1',
        'controllerrevisions',
        (event) => this.#keep(event, this.#revisions),
        operatorNamespace,
      ),
      this.watchResource(group, version, 'nodeproxies', (event) => this.#keepNodeProxy(event)),
      this.watchResource('', 'v1', 'nodes', (event) => this.#keep(event, this.#nodes)),
      this.watchResource('', 'v1', 'pods', (event) => this.#keep(event, this.#agentPods), operatorNamespace),
    ]);
    this.#synced = true;
    this.#options.logger.info('everything is listed', {
      nodes: this.#nodes.byName.size,
      proxyConfigs: this.#configs.byName.size,
    });
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
    // What waited for the interval to be over is told now; a successor would have to find it out anew.
    if (this.#synced)
      await this.#reportAll(this.#look(), { isLast: true }).catch((error: unknown) =>
        this.#options.logger.warn('the last status was not written', { error }),
      );
  }

  /** Resolves when the first list has been handed over; the watch goes on until `stop`. */
  // oxlint-disable-next-line max-params -- the base class's signature
  protected override async watchResource(
    apiGroup: string,
    apiVersion: string,
    plural: string,
    onEvent: OnEvent,
    namespace?: string,
  ): Promise<void> {
    const id = apiGroup === '' ? plural : `${plural}.${apiGroup}`;
    const tell = (type: ResourceEvent['type'], object: WatchedObject): void => {
      onEvent({ type, object, meta: metaOf(id, object) }).catch((cause: unknown) =>
        this.#options.logger.error('an object was not understood', { id, error: cause }),
      );
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

  /**
   * The path on the API server; unlike upstream's also for the core group, and without the server's address, which is
   * the client's.
   */
  protected override getCustomResourceApiUri(
    apiGroup: string,
    apiVersion: string,
    plural: string,
    namespace?: string,
  ): string {
    const prefix = apiGroup === '' ? `/api/${apiVersion}` : `/apis/${apiGroup}/${apiVersion}`;
    return namespace === undefined ? `${prefix}/${plural}` : `${prefix}/namespaces/${namespace}/${plural}`;
  }

  /**
   * Applies the status server-side, tied to the object that it was computed from: one that was decided on old knowledge
   * is refused instead of undoing a newer one. Throws what the API server answers.
   */
  protected override async setResourceStatus(meta: ResourceMeta, status: unknown): Promise<null> {
    const { name, resourceVersion } = meta;
    const written = await this.#options.client.send('PATCH', `/apis/${group}/${version}/proxyconfigs/${name}/status`, {
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager, force: true },
      body: { apiVersion: `${group}/${version}`, kind: 'ProxyConfig', metadata: { name, resourceVersion }, status },
    });
    if (this.#configs.learn(written as Written)) this.#lookSoon();
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

  async #keep(event: ResourceEvent, into: KnownObjects<unknown>): Promise<void> {
    if (into.keep(heardOf(event))) this.#lookSoon();
  }

  async #keepService({ type, object }: ResourceEvent): Promise<void> {
    const isNews = this.#serviceOwners.keep(
      object.metadata?.uid ?? '',
      type === ResourceEventType.Deleted ? undefined : object,
    );
    if (isNews) this.#lookSoon();
  }

  async #keepNodeProxy(event: ResourceEvent): Promise<void> {
    const { name } = event.meta;
    const known = this.#nodeProxies.byName.get(name);
    if (event.type !== ResourceEventType.Deleted) this.#lostNodeProxies.delete(name);
    else if (known !== undefined) this.#lostNodeProxies.set(name, known);
    await this.#keep(event, this.#nodeProxies);
  }

  #lookSoon(): void {
    if (this.#synced) this.#queue.add(wholeCluster, this.#gatherMs);
  }

  async #reconcile(): Promise<number | undefined> {
    const { client, logger, metrics, statusIntervalMs } = this.#options;
    const reconciliation = this.#look();
    const { statusUpdates, revisionWrites, nodeWrites, lookAgainMs } = reconciliation;
    metrics.observe(statusUpdates);
    this.#forget();
    // Revisions and status first: what nodes are told must be known to whoever goes on from here.
    for (const write of revisionWrites) await this.#writeRevision(write);
    const statusDueMs = await this.#reportAll(reconciliation, { isLast: false });
    if (nodeWrites.length > 0) {
      logger.info('telling nodes what to run', {
        count: nodeWrites.length,
        nodes: nodeWrites.slice(0, 10).map(({ node }) => node),
      });
      // What is left over then is decided anew, since each write asks for another turn: with the status that is due,
      // and by what has changed meanwhile.
      const onWritten = (written: unknown): void => this.#learnNodeProxy(written);
      await writeNodes(nodeWrites, { client, concurrency: concurrentWrites, longestMs: statusIntervalMs, onWritten });
    }
    const governing = statusUpdates
      .filter(({ status }) => (status.nodes?.effective ?? 0) > 0)
      .map(({ config }) => config);
    const isAllTold = await this.#serviceOwners.tell(governing, this.#nodeProxies.byName.values());
    metrics.reconciliations.inc({ result: 'done' });
    const next = Math.min(
      statusDueMs ?? Infinity,
      isAllTold ? Infinity : moreEventsMs,
      Math.max(lookAgainMs ?? Infinity, leastLookAgainMs),
    );
    return next === Infinity ? undefined : next;
  }

  #look(): Reconciliation {
    const readyAgents = new Set(
      [...this.#agentPods.byName.values()].filter(({ ready }) => ready).map(({ node }) => node),
    );
    const view: ClusterView = {
      nodes: this.#nodes.byName,
      configs: this.#configs.byName,
      nodeProxies: this.#nodeProxies.byName,
      lostNodeProxies: this.#lostNodeProxies,
      revisions: this.#revisions.byName,
      readyAgents,
    };
    const started = performance.now();
    const reconciliation = reconcile(view, this.#since.turn(this.#options.now()));
    this.#gatherMs = Math.max(leastGatherMs, gatherPerLook * (performance.now() - started));
    return reconciliation;
  }

  async #writeRevision({ method, path, options }: RevisionWrite): Promise<void> {
    try {
      const written = await this.#options.client.send(method, path, options);
      if (method === 'POST') this.#revisions.keep({ ...(written as Written).metadata, object: written });
      this.#lookSoon();
    } catch (error) {
      if (!isAlreadyExists(error) && !isNotFound(error)) throw error;
    }
  }

  #learnNodeProxy(written: unknown): void {
    this.#options.metrics.nodeWrites.inc();
    this.#lostNodeProxies.delete((written as Written).metadata.name);
    if (this.#nodeProxies.learn(written as Written)) this.#lookSoon();
  }

  /** Milliseconds until the next status may be written; undefined when none waits. */
  async #reportAll(
    { statusUpdates }: Pick<Reconciliation, 'statusUpdates'>,
    { isLast }: { isLast: boolean },
  ): Promise<number | undefined> {
    const waits: number[] = [];
    for (const update of statusUpdates.filter(({ changed }) => changed)) {
      const { uid = '' } = update.config.metadata;
      const due = (this.#statusWrittenAt.get(uid) ?? -Infinity) + this.#options.statusIntervalMs - performance.now();
      if (due > 0 && !isLast) waits.push(due);
      else await this.#report(update);
    }
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  async #report({ config, status, events }: StatusUpdate): Promise<void> {
    const { name, uid = '' } = config.metadata;
    await this.setResourceStatus(metaOf('proxyconfigs', config), status);
    this.#statusWrittenAt.set(uid, performance.now());
    const regarding = { apiVersion: `${group}/${version}`, kind: 'ProxyConfig', name, uid };
    for (const { type, reason, message } of events) {
      this.#options.logger.info(message, { proxyConfig: name, reason });
      await this.#events.record({ regarding, type, reason, action: 'Reconcile', note: message });
    }
  }

  /** What is remembered of objects that are gone. */
  #forget(): void {
    const standing = new Set([...this.#configs.byName.values()].map(({ metadata }) => metadata.uid));
    for (const uid of this.#statusWrittenAt.keys()) if (!standing.has(uid)) this.#statusWrittenAt.delete(uid);
    for (const name of this.#lostNodeProxies.keys())
      if (!this.#nodes.byName.has(name)) this.#lostNodeProxies.delete(name);
  }
}

/** What the API server answers. */
interface Written {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}

function heardOf({ type, meta: { name, resourceVersion }, object }: ResourceEvent): Heard {
  return type === ResourceEventType.Deleted ? { name, resourceVersion } : { name, resourceVersion, object };
}

function unused(method: string, instead: string): Promise<never> {
  return Promise.reject(new Error(`${method} is not used: ${instead}`));
}
