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
import { createStatusWriter, type StatusWriter } from '../kube/statusWriter.ts';
import type { Logger } from '../observability/logger.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import { apiErrorObserver } from './watch/apiErrors.ts';
import { watchCluster, type ObservedNode } from './watch/clusterWatch.ts';
import { ConntrackSettings } from './conntrack/conntrackSettings.ts';
import { ConntrackUse } from './conntrack/conntrackUse.ts';
import { Dataplane } from './dataplane/dataplane.ts';
import type { DataplaneStatus } from './dataplane/dataplaneStatus.ts';
import { startHttpServers } from './healthcheck/httpServers.ts';
import { createSyncListeners, type SyncListeners } from './syncListeners.ts';
import { ConfigController } from './config/configController.ts';
import type { FlushMonitor } from './kernel/flushMonitor.ts';
import { type HealthFacts, readyz } from './healthcheck/health.ts';
import type { KernelAccess } from './kernel/kernelAccess.ts';
import { createNodeConfigSource } from './watch/nodeConfigSource.ts';
import { createPacketCounters } from './metrics/packetCounters.ts';
import { quarantinedServices } from './status/report.ts';
import { Prober } from './healthcheck/probe.ts';
import { Reporter, selfServedAddress } from './status/reporter.ts';
import { SavedConfig } from './config/savedConfig.ts';
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

/** How long `stop` waits for the last report to be written. */
const maxLastReportMs = 3000;

/** The status of the node's NodeProxy is the agent's alone. */
function nodeProxyWriter(name: string, { client, logger, timing }: AgentParts): StatusWriter {
  return createStatusWriter({
    client,
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
  readonly #dataplane: Dataplane;
  readonly #reporter: Reporter;
  readonly #prober: Prober;
  readonly #watch;
  readonly #source;
  readonly #servers;
  readonly #syncListeners: SyncListeners;
  readonly #conntrackUse: ConntrackUse;
  readonly #conntrackSettings: ConntrackSettings;
  readonly #saved: SavedConfig;
  #configController: ConfigController | undefined;
  #flushMonitor: Promise<FlushMonitor> | undefined;
  #node: ObservedNode = { record: undefined, isEligible: true };
  #isStopping = false;

  constructor(config: AgentConfig, parts: AgentParts) {
    const { client, logger, metrics, timing } = parts;
    const { nodeName } = config;
    this.#parts = parts;
    const onStatusChange = (): void => this.#onStatusChange();
    const isHealthy = (): boolean => readyz(this.#health()).status === 200;
    const { makeBackend, sysctls, conntrack, readNodeAddresses } = parts.kernel;
    this.#syncListeners = createSyncListeners({ metrics, logger, isHealthy, conntrack, readNodeAddresses });
    const onRequeue = (): void => this.#configController?.requeue();
    this.#dataplane = new Dataplane({
      store: this.#store,
      makeBackend,
      listeners: [
        ...this.#syncListeners.all,
        { onSuccess: onStatusChange, onFailure: onStatusChange, onDrift: onStatusChange },
      ],
      logger,
      onRequeue,
      onStatusChange,
    });
    const agentInfo = { agentVersion: config.version, kernel: os.release() };
    this.#reporter = new Reporter(nodeProxyWriter(nodeName, parts), agentInfo);
    this.#prober = new Prober({ store: this.#store, logger, onStatusChange });
    this.#conntrackUse = new ConntrackUse({ sysctls, metrics, logger, onStatusChange });
    this.#conntrackSettings = new ConntrackSettings({ sysctls, logger, onStatusChange });
    this.#saved = new SavedConfig(config.stateDirectory, logger);
    const onError = apiErrorObserver(metrics, logger);
    this.#watch = watchCluster({
      client,
      nodeName,
      store: this.#store,
      onNode: (node) => this.#onNode(node),
      onError,
      timing: timing.reflector,
    });
    this.#source = createNodeConfigSource({
      client,
      nodeName,
      onChange: (nodeProxy) => this.#configController?.setNodeProxy(nodeProxy),
      onError: (error, retryInMs) => onError(nodeProxyResource.plural, error, retryInMs),
      timing: timing.reflector,
    });
    const mode = () => this.#dataplane.status.inForce?.config.mode;
    const refreshCounters = createPacketCounters({
      backend: (family) => this.#dataplane.backend(family),
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
    const saved = await this.#saved.load();
    const configController = new ConfigController({
      dataplane: this.#dataplane,
      saved,
      logger,
      onDecision: () => this.#onStatusChange(),
    });
    this.#configController = configController;
    this.#watch.start();
    this.#source.start();
    await this.#watch.synced;
    logger.info('Services, EndpointSlices and Node are known');
    await this.#source.first({ waitMs: timing.nodeProxyWaitMs, orAbsent: saved !== undefined });
    if (this.#isStopping) return;
    this.#flushMonitor = this.#parts.kernel.startFlushMonitor({
      logger,
      onLoss: (family) => this.#dataplane.requestCheck(family),
    });
    await this.#flushMonitor;
    if (this.#isStopping) return;
    this.#conntrackUse.start();
    await configController.decide();
  }

  /** Ends in order, also during `start`, and leaves the rules in the kernel. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([this.#watch.stop(), this.#source.stop()]);
    // Both at once, so that a change of mode that is under way is canceled.
    await Promise.all([this.#configController?.stop(), this.#dataplane.stop(this.#parts.timing.stopGraceMs)]);
    await this.#prober.stop();
    await this.#syncListeners.stop();
    await this.#conntrackUse.stop();
    await (await this.#flushMonitor)?.stop();
    await this.#saved.whenSaved();
    // An API server that hangs must not delay the end.
    await Promise.race([this.#reporter.stop(), sleep(maxLastReportMs, undefined, { ref: false })]);
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  #health(): HealthFacts {
    return {
      dataplane: this.#dataplane.status,
      isNodeEligible: this.#node.isEligible,
      monotonicNow: performance.now(),
      now: new Date(),
    };
  }

  #onNode(node: ObservedNode): void {
    this.#node = node;
    this.#store.setNode(node.record);
  }

  #onStatusChange(): void {
    this.#handleProbeResult();
    const { metrics, client } = this.#parts;
    const dataplane = this.#dataplane.status;
    const invalidServices = quarantinedServices(this.#store.invalidServices(), dataplane);
    metrics.quarantined.set(invalidServices.length);
    this.#applyInForce(dataplane);
    if (this.#configController === undefined) return;
    const { decision } = this.#configController;
    this.#reporter.report({
      decision,
      dataplane,
      invalidServices,
      selfServedAddress: selfServedAddress(client.server, this.#store),
      probe: this.#prober.result,
      conditions: [
        this.#conntrackSettings.conditions(),
        this.#conntrackUse.conditions(),
        this.#syncListeners.conditions(),
      ].flat(),
    });
  }

  /** Probes what is in force, and gives the result to the dataplane: a new mode stays only when its probe succeeds. */
  #handleProbeResult(): void {
    const { inForce } = this.#dataplane.status;
    if (this.#configController === undefined) return;
    const { nodeProxy } = this.#configController.decision;
    this.#prober.observe(nodeProxy, inForce);
    if (inForce !== undefined)
      this.#dataplane.handleProbeResult(nodeProxy?.spec.revision ?? inForce.revision, this.#prober.result);
  }

  #applyInForce({ inForce, isProbing }: DataplaneStatus): void {
    if (inForce === undefined) return;
    const { metrics } = this.#parts;
    metrics.configInfo.reset();
    metrics.configInfo.set({ mode: inForce.config.mode, revision: inForce.revision, source: inForce.source }, 1);
    void this.#conntrackSettings.apply(inForce);
    if (isProbing !== true) this.#saved.save(inForce);
  }
}
