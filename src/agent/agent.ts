/**
 * The agent: watches -> store -> sync loops -> kernel, and back into NodeProxy, metrics and health. Wiring only.
 *
 * Order of a start: everything is listed; then the configuration is decided on; only then is the first rule written.
 * The end leaves the rules as they are: Services go on working without an agent.
 */
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentConfig } from '../config.ts';
import type { KubeClient } from '../kube/client.ts';
import type { ReflectorTiming } from '../kube/reflector.ts';
import { createStatusWriter, type StatusWriter } from '../kube/statusWriter.ts';
import type { Logger } from '../observability/logger.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import { apiErrorObserver } from './apiErrors.ts';
import { watchCluster, type ObservedNode } from './clusterWatch.ts';
import { ConntrackSettings } from './conntrackSettings.ts';
import { ConntrackUse } from './conntrackUse.ts';
import { Dataplane, type DataplaneStatus } from './dataplane.ts';
import { startEndpoints } from './endpoints.ts';
import { createFollowers, type Followers } from './followers.ts';
import { Governor } from './governor.ts';
import type { Guard } from './guard.ts';
import { type HealthFacts, readyz } from './health.ts';
import type { KernelAccess } from './kernelAccess.ts';
import { createNodeConfigSource, nodeProxiesPath } from './nodeConfigSource.ts';
import { createPacketCounters } from './packetCounters.ts';
import { quarantinedServices } from './report.ts';
import { Prober } from './probe.ts';
import { Reporter, selfServedAddress } from './reporter.ts';
import { SavedConfig } from './savedConfig.ts';
import { Store } from './store.ts';
import { createSyncObserver } from './syncObserver.ts';

/** What it reaches the world by. */
export interface AgentParts {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly metrics: AgentMetrics;
  readonly kernel: KernelAccess;
  readonly timing: AgentTiming;
}

export interface AgentTiming {
  readonly reflector: Partial<ReflectorTiming>;
  /** How long a node waits for its NodeProxy; one with a saved configuration only until it knows that there is none. */
  readonly nodeProxyWaitMs: number;
  readonly statusIntervalMs: number;
  /** How long the end waits for a running sync. */
  readonly stopGraceMs: number;
}

const lastReportMs = 3000;

/** The status of the node's NodeProxy is the agent's alone. */
function nodeProxyWriter(name: string, { client, logger, timing }: AgentParts): StatusWriter {
  return createStatusWriter({
    client,
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    name,
    path: `${nodeProxiesPath}/${name}`,
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
  readonly #followers: Followers;
  readonly #conntrackUse: ConntrackUse;
  readonly #conntrackSettings: ConntrackSettings;
  readonly #saved: SavedConfig;
  #governor: Governor | undefined;
  #guard: Promise<Guard> | undefined;
  #node: ObservedNode = { record: undefined, eligible: true };
  #isStopping = false;

  constructor(config: AgentConfig, parts: AgentParts) {
    const { client, logger, metrics, timing } = parts;
    const { nodeName } = config;
    this.#parts = parts;
    const onNews = (): void => this.#onNews();
    const isHealthy = (): boolean => readyz(this.#health()).status === 200;
    this.#followers = createFollowers({
      store: this.#store,
      nodeName,
      metrics,
      logger,
      isHealthy,
      conntrack: parts.kernel.conntrack,
    });
    const observer = createSyncObserver({
      metrics,
      logger,
      startedAt: Date.now(),
      onNews,
      followers: this.#followers,
    });
    const { makeBackend, sysctls } = parts.kernel;
    const onReconsider = (): void => this.#governor?.reconsider();
    this.#dataplane = new Dataplane({
      store: this.#store,
      makeBackend,
      observer,
      logger,
      onReconsider,
      onNews,
    });
    const about = { agentVersion: config.version, kernel: os.release() };
    this.#reporter = new Reporter(nodeProxyWriter(nodeName, parts), about);
    this.#prober = new Prober({ store: this.#store, logger, onNews });
    this.#conntrackUse = new ConntrackUse({ sysctls, metrics, logger, onNews });
    this.#conntrackSettings = new ConntrackSettings({ sysctls, logger, onNews });
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
      onChange: (nodeProxy) => this.#governor?.setNodeProxy(nodeProxy),
      onError: (error, retryInMs) => onError('nodeproxies', error, retryInMs),
      timing: timing.reflector,
    });
    const mode = () => this.#dataplane.status.inForce?.config.mode;
    const refresh = createPacketCounters({ backend: (family) => this.#dataplane.backend(family), metrics, logger });
    this.#servers = startEndpoints({ config, metrics, logger, health: () => this.#health(), refresh, mode });
  }

  async start(): Promise<void> {
    const { logger, timing } = this.#parts;
    const saved = await this.#saved.load();
    const governor = new Governor({
      dataplane: this.#dataplane,
      saved,
      logger,
      onAnswer: () => this.#onNews(),
    });
    this.#governor = governor;
    this.#watch.start();
    this.#source.start();
    await this.#watch.synced;
    logger.info('Services, EndpointSlices and Node are known');
    await this.#source.first({ waitMs: timing.nodeProxyWaitMs, orAbsent: saved !== undefined });
    if (this.#isStopping) return;
    this.#guard = this.#parts.kernel.guard({ logger, onLoss: (family) => this.#dataplane.requestCheck(family) });
    await this.#guard;
    if (this.#isStopping) return;
    this.#conntrackUse.start();
    await governor.decide();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([this.#watch.stop(), this.#source.stop()]);
    // A change of mode that is under way is cut short.
    await Promise.all([this.#governor?.stop(), this.#dataplane.stop(this.#parts.timing.stopGraceMs)]);
    await this.#prober.stop();
    await this.#followers.stop();
    await this.#conntrackUse.stop();
    await (await this.#guard)?.stop();
    await this.#saved.saved();
    // The last report must not hold up the end where the API server hangs.
    await Promise.race([this.#reporter.stop(), sleep(lastReportMs, undefined, { ref: false })]);
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  #health(): HealthFacts {
    return {
      dataplane: this.#dataplane.status,
      nodeEligible: this.#node.eligible,
      monotonicNow: performance.now(),
      now: new Date(),
    };
  }

  #onNode(node: ObservedNode): void {
    this.#node = node;
    this.#store.setNode(node.record);
  }

  #onNews(): void {
    this.#judge();
    const { metrics, client } = this.#parts;
    const dataplane = this.#dataplane.status;
    const invalidServices = quarantinedServices(this.#store.invalidServices(), dataplane);
    metrics.quarantined.set(invalidServices.length);
    this.#noteInForce(dataplane);
    if (this.#governor === undefined) return;
    const { answer } = this.#governor;
    this.#reporter.report({
      answer,
      dataplane,
      invalidServices,
      selfServedAddress: selfServedAddress(client.server, this.#store),
      probe: this.#prober.finding,
      remarks: [
        this.#conntrackSettings.conditions(),
        this.#conntrackUse.conditions(),
        this.#followers.remarks(),
      ].flat(),
    });
  }

  /** The probe follows what is in force, and a new mode stays only when nothing speaks against it. */
  #judge(): void {
    const { inForce } = this.#dataplane.status;
    if (this.#governor === undefined) return;
    const { nodeProxy } = this.#governor.answer;
    this.#prober.follow(nodeProxy, inForce);
    if (inForce !== undefined)
      this.#dataplane.judge(nodeProxy?.spec.revision ?? inForce.revision, this.#prober.finding);
  }

  #noteInForce({ inForce, isProving }: DataplaneStatus): void {
    if (inForce === undefined) return;
    const { metrics } = this.#parts;
    metrics.configInfo.reset();
    metrics.configInfo.set({ mode: inForce.config.mode, revision: inForce.revision, source: inForce.source }, 1);
    void this.#conntrackSettings.apply(inForce);
    if (isProving !== true) this.#saved.save(inForce);
  }
}
