/**
 * @module The operator: watches, lets `reconcile` decide, and writes what comes out.
 *
 * What the caller may rely on: `start` resolves when everything is listed; `stop` returns at once, and `stopped`
 * resolves when nothing runs any more. `synced` is true from the first complete list on. One instance serves one term
 * of leadership: it is started once and stopped once.
 *
 * Goals:
 *  1. What the cluster is decides, not what happened in it: no event is needed, none may be missed for good.
 *  2. A successor that knows nothing but the objects on the API server goes on where this process ended, between any
 *     two writes.
 *  3. No newer write of anybody else is undone.
 *  4. Many changes cost few reconciliations, and a large cluster no flood of requests.
 *  5. Neither a pause nor a failure waits until all nodes are written.
 *
 * How each is met:
 *  1. All watches feed one key of the work queue, because which ProxyConfig governs a node is a question about all of
 *     them. A reconciliation takes a view of everything known, and `reconcile` (pure) gives everything to be written.
 *  2. Writes go in a fixed order. Revisions first, since a status names revisions, and a node can only be taken back to
 *     one whose configuration is kept. Then statuses: a rollout's state has to be on the API server before a node is
 *     changed for it (rolloutTransitions.ts). Then NodeProxies. Events are recorded beside all
 *     that, since nothing depends on them; those about a ProxyConfig follow the status that they speak of, so that they
 *     come once.
 *  3. A write carries the resourceVersion that it was decided on; one to an object made, changed or deleted meanwhile
 *     is a conflict (ObjectWriter), and the object is read anew. The whole reconciliation is then done again on what is
 *     known by then, five times at most, each after the debounce time; after that it is requeued like any change. A
 *     conflict is neither a failure nor logged above level debug. A write that is refused concerns its own object:
 *     the others are written, and this one is tried again with a backoff, a status without what is refused of it. An
 *     API server that is away or overloaded ends the reconciliation, and the queue runs it again with a backoff, or
 *     after Retry-After.
 *  4. Changes are debounced: for 50 ms, or 20 times as long as the last decision took. A ProxyConfig's status is
 *     written once in `statusIntervalMs`, the latest of them; NodeProxies eight at a time. Responses to own writes are
 *     known at once (knownObjects.ts), so that a reconciliation does not decide twice because a watch is late.
 *  5. NodeProxies are written for `statusIntervalMs` at most; the rest is decided anew in the next reconciliation.
 *
 * Concurrency: the work queue runs one reconciliation at a time; changes during it make another follow. Watches may
 * change what is known between its awaits, which a decision already taken does not see; the resourceVersions refuse it
 * where that matters. Nothing is written before `synced`. `stop` ends the watches and the queue, then writes the
 * statuses that waited for their interval, once: a successor would have to find them out anew.
 */
import { nodeProxyResource, operatorController, proxyConfigResource } from '../api/resources.ts';
import { createEventRecorder } from '../kube/events.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/apiError.ts';
import { createBackoff } from '../kube/backoff.ts';
import type { KubeClient } from '../kube/client.ts';
import { retryOnConflict } from '../kube/retryOnConflict.ts';
import { createWorkQueue } from '../kube/workQueue.ts';
import type { Logger } from '../observability/logger.ts';
import type { KnownObjects } from './watch/knownObjects.ts';
import { ObjectWriter, type WrittenKind } from './writes/objectWriter.ts';
import { ObservedCluster } from './watch/observedCluster.ts';
import { OperatorBase, type WatchedResource } from './operatorBase.ts';
import type { OperatorMetrics } from './operatorMetrics.ts';
import { reconcile, type Reconciliation } from './reconcile.ts';
import type { StatusUpdate } from './status/statusUpdate.ts';
import { controllerRevisionsPath, operatorNamespace, type RevisionWrite } from './rollout/revisions.ts';
import { decodeServiceToNote } from './events/servicesToNote.ts';
import { ServiceEventWriter } from './writes/serviceEventWriter.ts';
import { SinceTracker } from './rollout/since.ts';
import { ConfigStatusWriter } from './writes/configStatusWriter.ts';
import type { NodeWrite } from './writes/nodeWrite.ts';
import { WriteErrors } from './writes/writeErrors.ts';
import { writeNodes } from './writes/writeNodes.ts';

export interface OperatorOptions {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  /** Names this process in events (reportingInstance). */
  readonly instance: string;
  /** Min milliseconds from one status write of a ProxyConfig to its next; max milliseconds of writing NodeProxies. */
  readonly statusIntervalMs: number;
  /** Milliseconds since the epoch that never go back. */
  readonly now: () => number;
}

const core = { group: '', version: 'v1' };
/** Everything is reconciled under one key: which ProxyConfig wins a node is a question about all of them. */
const wholeCluster = 'cluster';
/**
 * Changes are debounced, so that a burst such as the first list is decided on once; in a large cluster for 20 times as
 * long as a decision takes.
 */
const minDebounceMs = 50;
const debouncePerReconcile = 20;
const concurrentWrites = 8;
/** Time alone never asks for a reconciliation sooner than this. */
const minRequeueMs = 100;
/** Of so many refused writes of one reconciliation the log has the errors. */
const maxLogged = 10;

/** The reconciler of all ProxyConfigs; see the head of this file. */
export class ProxyConfigOperator extends OperatorBase {
  readonly #options: OperatorOptions;
  readonly #observed = new ObservedCluster();
  readonly #writer: ObjectWriter;
  readonly #statuses: ConfigStatusWriter;
  readonly #serviceEvents: ServiceEventWriter;
  readonly #since = new SinceTracker();
  readonly #queue = createWorkQueue({
    reconcile: (_key, signal) => this.#reconcile(signal),
    onError: (_key, cause, retryInMs) => {
      this.#options.metrics.reconciliations.inc({ result: 'failed' });
      this.#options.logger.warn('reconciling failed', { error: cause, retryInMs });
    },
  });
  /** Of writes that are refused while others succeed. */
  readonly #backoff = createBackoff({ minMs: 500, maxMs: 60_000 });
  #debounceMs = minDebounceMs;
  #synced = false;
  #stopped: Promise<void> | undefined;

  constructor(options: OperatorOptions) {
    const { client, logger, metrics, instance } = options;
    super({ client, logger, onWatchError: (resource) => metrics.watchErrors.inc({ resource }) });
    this.#options = options;
    const events = createEventRecorder({
      client,
      controller: operatorController,
      instance,
      onError: (cause) => logger.warn('an event was lost', { error: cause }),
    });
    const { configs, nodeProxies } = this.#observed;
    const writer = new ObjectWriter({ client, logger, metrics, onChange: () => this.#enqueue() });
    this.#writer = writer;
    const intervalMs = options.statusIntervalMs;
    this.#statuses = new ConfigStatusWriter({ writer, events, logger, metrics, configs, intervalMs });
    this.#serviceEvents = new ServiceEventWriter({ client, logger, events, nodeProxies });
  }

  /** True once everything has been listed; nothing is written before. */
  get synced(): boolean {
    return this.#synced;
  }

  protected override async init(): Promise<void> {
    const { nodes, configs, nodeProxies, revisions, agentPods } = this.#observed;
    const apps = { group: 'apps', version: 'v1', namespace: operatorNamespace };
    // Only an event hangs on it: nodes need not wait where it may not be read.
    void this.watch({ ...core, plural: 'services' }, decodeServiceToNote, ({ uid, record }) => {
      if (this.#serviceEvents.observe(uid, record)) this.#enqueue();
    });
    await Promise.all([
      this.#watchInto(configs, proxyConfigResource),
      this.#watchInto(revisions, { ...apps, plural: 'controllerrevisions' }),
      this.#watchInto(nodeProxies, nodeProxyResource),
      this.#watchInto(nodes, { ...core, plural: 'nodes' }),
      this.#watchInto(agentPods, { ...core, plural: 'pods', namespace: operatorNamespace }),
    ]);
    this.#synced = true;
    this.#options.logger.info('everything is listed', {
      nodes: nodes.byName.size,
      proxyConfigs: configs.byName.size,
    });
    this.#queue.add(wholeCluster);
  }

  /** Begins to stop; a second call does nothing. */
  override stop(): void {
    this.#stopped ??= this.#shutDown();
  }

  /**
   * Resolves when nothing runs any more and what waited to be written has been tried once; at once where `stop` was not
   * called. Never rejects because of the API server.
   */
  async stopped(): Promise<void> {
    await this.#stopped;
  }

  async #shutDown(): Promise<void> {
    await this.stopWatching();
    await this.#queue.stop();
    await this.#serviceEvents.stop();
    if (this.#synced) await this.#writeLastStatuses();
  }

  /** Writes the statuses that wait for their interval; a successor would have to find them out anew. */
  async #writeLastStatuses(): Promise<void> {
    try {
      await retryOnConflict(async () => {
        const errors = new WriteErrors();
        await this.#statuses.write(this.#decide().statusUpdates, { isLast: true, errors });
        errors.throwConflict();
        this.#logErrors(errors);
      });
      await this.#statuses.recorded();
    } catch (error) {
      if (!isConflict(error)) this.#options.logger.warn('the last status was not written', { error });
    }
  }

  #watchInto<Kept>(known: KnownObjects<Kept>, resource: WatchedResource): Promise<void> {
    return this.watch(resource, known.decode, (observed) => {
      if (known.observe(observed)) this.#enqueue();
    });
  }

  #enqueue(): void {
    if (this.#synced) this.#queue.add(wholeCluster, this.#debounceMs);
  }

  /**
   * Resolves with milliseconds until the next reconciliation, or undefined. A conflict is no failure: by then it is
   * known what has changed, and it is reconciled again on that. Where somebody else is quicker each time, it is
   * requeued at the pace of any other change.
   */
  async #reconcile(signal: AbortSignal): Promise<number | undefined> {
    try {
      return await retryOnConflict(() => this.#reconcileOnce(), { waitMs: this.#debounceMs, signal });
    } catch (error) {
      if (!isConflict(error)) throw error;
      return this.#debounceMs;
    }
  }

  /** Resolves with milliseconds until the next reconciliation, or undefined; throws a conflict when a write met one. */
  async #reconcileOnce(): Promise<number | undefined> {
    const { metrics } = this.#options;
    const errors = new WriteErrors();
    const { statusUpdates, revisionWrites, nodeWrites, requeueAfterMs } = this.#decide();
    metrics.observe(statusUpdates);
    this.#statuses.forgetDeleted();
    this.#observed.forgetGoneNodes();
    // Revisions and status first: what nodes are assigned must be known to whoever goes on from here.
    for (const write of revisionWrites) await errors.collect(() => this.#writeRevision(write));
    const statusDueMs = await this.#statuses.write(statusUpdates, { isLast: false, errors });
    if (nodeWrites.length > 0) await errors.collect(() => this.#assignNodes(nodeWrites));
    errors.throwConflict();
    this.#requestServiceEvents(statusUpdates);
    const hasFailed = errors.refusals.length > 0;
    metrics.reconciliations.inc({ result: hasFailed ? 'failed' : 'done' });
    this.#logErrors(errors);
    if (!hasFailed) this.#backoff.reset();
    const requeueMs = Math.min(
      statusDueMs ?? Infinity,
      hasFailed ? this.#backoff.next() : Infinity,
      Math.max(requeueAfterMs ?? Infinity, minRequeueMs),
    );
    return requeueMs === Infinity ? undefined : requeueMs;
  }

  #logErrors({ refusals }: WriteErrors): void {
    for (const error of refusals.slice(0, maxLogged)) this.#options.logger.warn('a write was refused', { error });
  }

  #decide(): Reconciliation {
    const started = performance.now();
    const reconciliation = reconcile(this.#observed.view(), this.#since.clockAt(this.#options.now()));
    this.#debounceMs = Math.max(minDebounceMs, debouncePerReconcile * (performance.now() - started));
    return reconciliation;
  }

  /** One that is made or deleted already is as it should be; it is known by then, for the next reconciliation. */
  async #writeRevision({ name, method, path, options }: RevisionWrite): Promise<void> {
    const kind = { plural: 'controllerrevisions', path: controllerRevisionsPath, objects: this.#observed.revisions };
    try {
      if (method === 'POST') await this.#writer.write(kind, name, { method, path, options });
      else await this.#options.client.send(method, path, options);
      this.#enqueue();
    } catch (error) {
      const isAsItShouldBe = method === 'POST' ? isAlreadyExists((error as Error).cause) : isNotFound(error);
      if (!isAsItShouldBe) throw error;
    }
  }

  /**
   * What is left over after the max time is decided anew, since each write is a change that enqueues: with the status
   * that is due, and by what has changed meanwhile.
   */
  async #assignNodes(writes: readonly NodeWrite[]): Promise<void> {
    const { logger, metrics, statusIntervalMs } = this.#options;
    const nodes = writes.slice(0, 10).map(({ node }) => node);
    logger.info('assigning nodes', { count: writes.length, nodes });
    const kind: WrittenKind = { ...nodeProxyResource, objects: this.#observed.nodeProxies };
    const send = async (write: NodeWrite): Promise<void> => {
      await this.#writer.write(kind, write.node, write);
      metrics.nodeWrites.inc();
    };
    await writeNodes(writes, { send, concurrency: concurrentWrites, maxMs: statusIntervalMs });
  }

  #requestServiceEvents(statusUpdates: readonly StatusUpdate[]): void {
    const governing = statusUpdates.filter(({ status }) => (status.nodes?.effective ?? 0) > 0);
    this.#serviceEvents.request(governing.map(({ config }) => config));
  }
}
