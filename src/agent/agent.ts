/**
 * @module The agent: watches -> store -> sync loops -> kernel, and back into NodeProxy, metrics and health. Wiring
 * only.
 *
 * Order of a start: everything is listed; then the configuration is decided on; only then is the first rule written.
 * The end leaves the rules as they are: Services go on working without an agent.
 */
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiVersion, nodeProxyResource, objectPath } from '../api/resources.ts';
import type { AgentConfig } from '../config.ts';
import type { KubeClient } from '../kube/client.ts';
import type { ReflectorTiming } from '../kube/reflector.ts';
import { reducingClient } from '../kube/reducedStatus.ts';
import { createStatusWriter, type StatusWriter } from '../kube/statusWriter.ts';
import { ipFamilies } from '../model/ipFamily.ts';
import type { Logger } from '../observability/logger.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import { apiErrorObserver } from './watch/apiErrors.ts';
import { clusterIPsCondition } from './watch/clusterIPs.ts';
import { watchClusterIPs } from './watch/clusterIPsWatch.ts';
import { watchCluster } from './watch/clusterWatch.ts';
import { ConntrackUse } from './conntrack/conntrackUse.ts';
import { startHttpServers } from './healthcheck/httpServers.ts';
import { createSyncListeners, type SyncListeners } from './syncListeners.ts';
import { ConfigInForce } from './config/configInForce.ts';
import type { DesiredConfig } from './config/desiredConfig.ts';
import type { FlushMonitor } from './kernel/flushMonitor.ts';
import { type HealthFacts, readyz } from './healthcheck/health.ts';
import type { KernelAccess } from './kernel/kernelAccess.ts';
import { createNodeConfigSource } from './watch/nodeConfigSource.ts';
import { OwnNode } from './watch/ownNode.ts';
import { createPacketCounters } from './metrics/packetCounters.ts';
import { quarantinedServices } from './status/report.ts';
import { Reporter, selfServedAddress } from './status/reporter.ts';
import { Store } from './watch/store.ts';

/** By what the agent reaches the API server, the log, the metrics and the kernel. */
export interface AgentParts {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly metrics: AgentMetrics;
  readonly kernel: KernelAccess;
  readonly timing: AgentTiming;
}

/** All in ms. */
export interface AgentTiming {
  readonly reflector: Partial<ReflectorTiming>;
  /** How long a node waits for its NodeProxy; one with a saved configuration only until it knows that there is none. */
  readonly nodeProxyWaitMs: number;
  /** The minimum time between two writes of the NodeProxy status, but for urgent ones. */
  readonly statusIntervalMs: number;
  /** How long `stop` waits for a running sync before it is canceled. */
  readonly stopGraceMs: number;
}

/** How long the first sync waits for the ranges of cluster IPs. */
const maxClusterIPsWaitMs = 1000;

/** How long `stop` waits for the last report to be written. */
const maxLastReportMs = 3000;

/** The status of the node's NodeProxy is the agent's alone; what the API server refuses of it is left out. */
function nodeProxyWriter(name: string, { client, logger, metrics, timing }: AgentParts): StatusWriter {
  const onReduced = (error: unknown, without: string): void => {
    metrics.refusedWrites.inc({ resource: nodeProxyResource.plural });
    logger.warn('the NodeProxy status was refused; what stands in it is left out', { without, error });
  };
  return createStatusWriter({
    client: reducingClient(client, onReduced),
    apiVersion,
    kind: nodeProxyResource.kind,
    name,
    path: objectPath(nodeProxyResource, name),
    fieldManager: 'proxyconfig-agent',
    intervalMs: timing.statusIntervalMs,
    onError: (error, retryInMs) => logger.warn('the NodeProxy status was not written', { error, retryInMs }),
  });
}

export class Agent {
  readonly #parts: AgentParts;
  readonly #store = new Store();
  readonly #node: OwnNode;
  readonly #config: ConfigInForce;
  readonly #reporter: Reporter;
  readonly #watch;
  readonly #clusterIPs;
  readonly #source;
  readonly #servers;
  readonly #syncListeners: SyncListeners;
  readonly #conntrackUse: ConntrackUse;
  #flushMonitor: Promise<FlushMonitor> | undefined;
  #kernelConditions: FlushMonitor['conditions'] = () => [];
  #isStopping = false;
  #isReportDue = false;

  constructor(config: AgentConfig, parts: AgentParts) {
    const { client, logger, metrics, timing } = parts;
    const { nodeName } = config;
    this.#parts = parts;
    this.#node = new OwnNode(this.#store, logger);
    const report = (): void => this.#requestReport();
    const { makeBackend, otherProxies, sysctls } = parts.kernel;
    const isHealthy = (): boolean => readyz(this.#health()).status === 200;
    this.#syncListeners = createSyncListeners({ ...parts.kernel, metrics, logger, isHealthy, onStatusChange: report });
    this.#config = new ConfigInForce({
      store: this.#store,
      stateDirectory: config.stateDirectory,
      makeBackend,
      otherProxies,
      sysctls,
      listeners: [...this.#syncListeners.all, { onSuccess: report, onFailure: report, onDrift: report }],
      logger,
      onChange: report,
    });
    const agentInfo = { agentVersion: config.version, kernel: os.release() };
    this.#reporter = new Reporter(nodeProxyWriter(nodeName, parts), agentInfo);
    this.#conntrackUse = new ConntrackUse({ sysctls, metrics, logger, onStatusChange: report });
    const onError = apiErrorObserver(metrics, logger);
    this.#watch = watchCluster({
      client,
      nodeName,
      store: this.#store,
      onNode: (node) => {
        this.#node.observe(node);
        report();
      },
      onError,
      timing: timing.reflector,
    });
    this.#clusterIPs = watchClusterIPs({ client, store: this.#store, logger, onError, timing: timing.reflector });
    this.#source = createNodeConfigSource({
      client,
      nodeName,
      onChange: (nodeProxy) => this.#config.setNodeProxy(nodeProxy),
      onError: (error, retryInMs) => onError(nodeProxyResource.plural, error, retryInMs),
      timing: timing.reflector,
    });
    const { dataplane } = this.#config;
    const mode = () => dataplane.status.inForce?.config.mode;
    const refreshCounters = createPacketCounters({
      backend: (family) => dataplane.backend(family),
      metrics,
      logger,
    });
    this.#servers = startHttpServers({ config, metrics, logger, health: () => this.#health(), refreshCounters, mode });
  }

  /**
   * Resolves when the first configuration was decided on, which waits until everything is listed. To be called once.
   */
  async start(): Promise<void> {
    const { logger, timing } = this.#parts;
    const isSaved = await this.#config.load();
    this.#watch.start();
    this.#clusterIPs.start();
    this.#source.start();
    await this.#watch.synced;
    // Known later they cost another full sync, no more.
    await Promise.race([this.#clusterIPs.settled, sleep(maxClusterIPsWaitMs, undefined, { ref: false })]);
    logger.info('Services, EndpointSlices and Node are known');
    await this.#source.first({ waitMs: timing.nodeProxyWaitMs, orAbsent: isSaved });
    if (this.#isStopping) return;
    const { dataplane } = this.#config;
    this.#flushMonitor = this.#parts.kernel.startFlushMonitor({
      logger,
      onLoss: (family) => dataplane.requestCheck(family),
      isNftUsed: () => ipFamilies.some((family) => dataplane.backend(family)?.isInNftables?.() === true),
      onStatusChange: () => this.#requestReport(),
    });
    const { conditions } = await this.#flushMonitor;
    this.#kernelConditions = conditions;
    if (this.#isStopping) return;
    this.#conntrackUse.start();
    await this.#config.start();
  }

  /** Ends in order, also during `start`, and leaves the rules in the kernel. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([this.#watch.stop(), this.#clusterIPs.stop(), this.#source.stop()]);
    await this.#config.stop(this.#parts.timing.stopGraceMs);
    await this.#syncListeners.stop();
    await this.#conntrackUse.stop();
    await (await this.#flushMonitor)?.stop();
    // An API server that hangs must not delay the end.
    await Promise.race([this.#reporter.stop(), sleep(maxLastReportMs, undefined, { ref: false })]);
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  #health(): HealthFacts {
    return {
      dataplane: this.#config.dataplane.status,
      isNodeEligible: this.#node.isEligible,
      monotonicNow: performance.now(),
      now: new Date(),
    };
  }

  /** What changes at once is one report, made when every listener of a sync has been called. */
  #requestReport(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    queueMicrotask(() => {
      this.#isReportDue = false;
      try {
        this.#report();
      } catch (error) {
        this.#parts.logger.error('the NodeProxy status could not be made', { error });
      }
    });
  }

  /** Makes the NodeProxy's status and its metrics of what is true now, and decides nothing. */
  #report(): void {
    const { metrics, client } = this.#parts;
    const dataplane = this.#config.dataplane.status;
    const { decision, probe, conditions } = this.#config.facts;
    const invalidServices = quarantinedServices(
      [...this.#store.invalidServices(), ...this.#syncListeners.claimed()],
      dataplane,
    );
    metrics.quarantined.set(invalidServices.length);
    this.#measureConfig(dataplane.inForce);
    if (decision === undefined) return;
    this.#reporter.report({
      decision,
      dataplane,
      invalidServices,
      portConflicts: this.#syncListeners.portConflicts(),
      selfServedAddress: selfServedAddress(client.server, this.#store),
      probe,
      conditions: [
        this.#node.conditions(),
        clusterIPsCondition(this.#store.sharedRanges),
        conditions,
        this.#conntrackUse.conditions(),
        this.#syncListeners.conditions(),
        this.#kernelConditions(),
      ].flat(),
    });
  }

  #measureConfig(inForce: DesiredConfig | undefined): void {
    const { configInfo } = this.#parts.metrics;
    if (inForce === undefined) return;
    configInfo.reset();
    configInfo.set({ mode: inForce.config.mode, revision: inForce.revision, source: inForce.source }, 1);
  }
}
