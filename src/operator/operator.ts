/**
 * @module The operator process: watches, lets `reconcile` decide, and writes what comes out.
 */
import { apiVersion, nodeProxyResource, operatorController, proxyConfigResource } from '../api/resources.ts';
import { createEventRecorder, type EventRecorder } from '../kube/events.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/apiError.ts';
import type { KubeClient } from '../kube/client.ts';
import { retryOnConflict } from '../kube/retryOnConflict.ts';
import { createWorkQueue } from '../kube/workQueue.ts';
import type { Logger } from '../observability/logger.ts';
import type { ObservedObject, KnownObjects } from './knownObjects.ts';
import { ObjectWriter, type WrittenKind } from './objectWriter.ts';
import { ObservedCluster } from './observedCluster.ts';
import { OperatorBase, type WatchedObject } from './operatorBase.ts';
import type { OperatorMetrics } from './operatorMetrics.ts';
import { reconcile, type Reconciliation, type StatusUpdate } from './reconcile.ts';
import { controllerRevisionsPath, operatorNamespace, type RevisionWrite } from './revisions.ts';
import { ServiceOwners } from './serviceOwners.ts';
import { SinceTracker } from './since.ts';
import { type NodeWrite, writeNodes } from './writeNodes.ts';
import { statusWrite } from './writeStatus.ts';

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

const core = { group: '', version: 'v1' };
/** Everything is reconciled under one key: which ProxyConfig wins a node is a question about all of them. */
const wholeCluster = 'cluster';
/**
 * Changes are gathered before a turn, so that a burst such as the first list is decided on once; in a large cluster for
 * 20 times as long as a turn takes.
 */
const minDebounceMs = 50;
const debouncePerReconcile = 20;
const concurrentWrites = 8;
/** From some events to the next where there are many. */
const moreEventsMs = 10_000;
/** Time alone never asks for more turns than this. */
const minRequeueMs = 100;

export class ProxyConfigOperator extends OperatorBase {
  readonly #options: OperatorOptions;
  readonly #events: EventRecorder;
  readonly #observed = new ObservedCluster();
  readonly #writer: ObjectWriter;
  readonly #serviceOwners: ServiceOwners;
  readonly #since = new SinceTracker();
  /** By uid of the ProxyConfig. */
  readonly #statusWrittenAt = new Map<string, number>();
  readonly #queue = createWorkQueue({
    reconcile: (_key, signal) => this.#reconcile(signal),
    onError: (_key, cause, retryInMs) => {
      this.#options.metrics.reconciliations.inc({ result: 'failed' });
      this.#options.logger.warn('reconciling failed', { error: cause, retryInMs });
    },
  });
  #debounceMs = minDebounceMs;
  #synced = false;
  #stopped: Promise<void> | undefined;

  constructor(options: OperatorOptions) {
    const { client, logger, metrics, instance } = options;
    super({ client, logger, onWatchError: (resource) => metrics.watchErrors.inc({ resource }) });
    this.#options = options;
    this.#events = createEventRecorder({
      client,
      controller: operatorController,
      instance,
      onError: (cause) => logger.warn('an event was lost', { error: cause }),
    });
    this.#writer = new ObjectWriter({ client, logger, metrics, onChange: () => this.#enqueue() });
    this.#serviceOwners = new ServiceOwners({ client, logger, events: this.#events });
  }

  /** True once everything has been listed; nothing is written before. */
  get synced(): boolean {
    return this.#synced;
  }

  protected override async init(): Promise<void> {
    const { nodes, configs, nodeProxies, revisions, agentPods } = this.#observed;
    const keepIn = (known: KnownObjects<unknown>) => (observed: ObservedObject) => this.#keep(observed, known);
    const apps = { group: 'apps', version: 'v1', namespace: operatorNamespace };
    // Only an event hangs on it: nodes need not wait where it may not be read.
    void this.watch({ ...core, plural: 'services' }, (service) => this.#keepService(service));
    await Promise.all([
      this.watch(proxyConfigResource, keepIn(configs)),
      this.watch({ ...apps, plural: 'controllerrevisions' }, keepIn(revisions)),
      this.watch(nodeProxyResource, keepIn(nodeProxies)),
      this.watch({ ...core, plural: 'nodes' }, keepIn(nodes)),
      this.watch({ ...core, plural: 'pods', namespace: operatorNamespace }, keepIn(agentPods)),
    ]);
    this.#synced = true;
    this.#options.logger.info('everything is listed', {
      nodes: nodes.byName.size,
      proxyConfigs: configs.byName.size,
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
    await this.stopWatching();
    await this.#queue.stop();
    if (this.#synced) await this.#reportLast();
  }

  /** What waited for the interval to be over is told now; a successor would have to find it out anew. */
  async #reportLast(): Promise<void> {
    try {
      await retryOnConflict(() => this.#reportAll(this.#decide(), { isLast: true }));
    } catch (error) {
      if (!isConflict(error)) this.#options.logger.warn('the last status was not written', { error });
    }
  }

  #keep(observed: ObservedObject, into: KnownObjects<unknown>): void {
    if (into.keep(observed)) this.#enqueue();
  }

  #keepService({ uid, object }: WatchedObject): void {
    if (this.#serviceOwners.keep(uid, object)) this.#enqueue();
  }

  #enqueue(): void {
    if (this.#synced) this.#queue.add(wholeCluster, this.#debounceMs);
  }

  /**
   * A write that came too late is no failure: it is known by then what has changed, and a new turn decides on that.
   * Where somebody else is quicker each time, it goes on at the pace of any other news.
   */
  async #reconcile(signal: AbortSignal): Promise<number | undefined> {
    try {
      return await retryOnConflict(() => this.#clockAt(), { waitMs: this.#debounceMs, signal });
    } catch (error) {
      if (!isConflict(error)) throw error;
      return this.#debounceMs;
    }
  }

  /** Resolves with milliseconds until the next turn, or undefined; throws a conflict when a write came too late. */
  async #clockAt(): Promise<number | undefined> {
    const { metrics } = this.#options;
    const reconciliation = this.#decide();
    const { statusUpdates, revisionWrites, nodeWrites, requeueAfterMs } = reconciliation;
    metrics.observe(statusUpdates);
    this.#forget();
    // Revisions and status first: what nodes are told must be known to whoever goes on from here.
    for (const write of revisionWrites) await this.#writeRevision(write);
    const statusDueMs = await this.#reportAll(reconciliation, { isLast: false });
    if (nodeWrites.length > 0) await this.#assignNodes(nodeWrites);
    const isAllRecorded = await this.#recordServiceEvents(statusUpdates);
    metrics.reconciliations.inc({ result: 'done' });
    const next = Math.min(
      statusDueMs ?? Infinity,
      isAllRecorded ? Infinity : moreEventsMs,
      Math.max(requeueAfterMs ?? Infinity, minRequeueMs),
    );
    return next === Infinity ? undefined : next;
  }

  #decide(): Reconciliation {
    const started = performance.now();
    const reconciliation = reconcile(this.#observed.view(), this.#since.clockAt(this.#options.now()));
    this.#debounceMs = Math.max(minDebounceMs, debouncePerReconcile * (performance.now() - started));
    return reconciliation;
  }

  /** One that is made or deleted already is as it should be; what is known of it by then is for the next turn. */
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
   * What is left over after the longest time is decided anew, since each write asks for another turn: with the status
   * that is due, and by what has changed meanwhile.
   */
  async #assignNodes(writes: readonly NodeWrite[]): Promise<void> {
    const { logger, metrics, statusIntervalMs } = this.#options;
    const nodes = writes.slice(0, 10).map(({ node }) => node);
    logger.info('telling nodes what to run', { count: writes.length, nodes });
    const kind: WrittenKind = { ...nodeProxyResource, objects: this.#observed.nodeProxies };
    const send = async (write: NodeWrite): Promise<void> => {
      await this.#writer.write(kind, write.node, write);
      metrics.nodeWrites.inc();
    };
    await writeNodes(writes, { send, concurrency: concurrentWrites, maxMs: statusIntervalMs });
  }

  /** Whether nothing is left to be told. */
  #recordServiceEvents(statusUpdates: readonly StatusUpdate[]): Promise<boolean> {
    const governing = statusUpdates
      .filter(({ status }) => (status.nodes?.effective ?? 0) > 0)
      .map(({ config }) => config);
    return this.#serviceOwners.recordEvents(governing, this.#observed.nodeProxies.byName.values());
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
    const { logger } = this.#options;
    const { name, uid = '' } = config.metadata;
    const kind: WrittenKind = { ...proxyConfigResource, objects: this.#observed.configs };
    await this.#writer.write(kind, name, statusWrite(config, status));
    this.#statusWrittenAt.set(uid, performance.now());
    const regarding = { apiVersion, kind: proxyConfigResource.kind, name, uid };
    for (const { type, reason, message } of events) {
      logger.info(message, { proxyConfig: name, reason });
      await this.#events.record({ regarding, type, reason, action: 'Reconcile', note: message });
    }
  }

  /** What is remembered of objects that are gone. */
  #forget(): void {
    const existing = new Set([...this.#observed.configs.byName.values()].map(({ metadata }) => metadata.uid));
    for (const uid of this.#statusWrittenAt.keys()) if (!existing.has(uid)) this.#statusWrittenAt.delete(uid);
    this.#observed.forgetGoneNodes();
  }
}
