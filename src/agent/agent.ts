/**
 * @module The agent process: watches -> store -> sync loops -> kernel, and back into NodeProxy, metrics and health.
 * Wiring only.
 *
 * Order of a start: everything is listed; then the configuration is decided on; only then is the first rule written.
 * The end leaves the rules as they are: Services go on working without an agent.
 */
import { once } from 'node:events';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConditionNow } from '../api/conditions.ts';
import type { AgentConfig } from '../config.ts';
import { ApiError } from '../kube/apiError.ts';
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/kubeConfig.ts';
import type { ReflectorTiming } from '../kube/reflector.ts';
import { createStatusWriter } from '../kube/statusWriter.ts';
import { createLogger, type Logger } from '../observability/logger.ts';
import { type AgentMetrics, createAgentMetrics } from '../observability/metrics.ts';
import { watchCluster, type ObservedNode } from './clusterWatch.ts';
import { applySettings, conntrackSettings, settingsCondition } from './conntrackSettings.ts';
import { ConntrackUse } from './conntrackUse.ts';
import { Dataplane, type DataplaneStatus } from './dataplane.ts';
import { type DesiredConfig, loadSavedConfig, saveConfig } from './desiredConfig.ts';
import { startEndpoints } from './endpoints.ts';
import { createFollowers, type Followers } from './followers.ts';
import { Governor } from './governor.ts';
import type { Guard } from './guard.ts';
import { type HealthFacts, readyz } from './health.ts';
import { type KernelAccess, kernelAccess } from './kernelAccess.ts';
import { createNodeConfigSource, nodeProxiesPath } from './nodeConfigSource.ts';
import { createPacketCounters } from './packetCounters.ts';
import { quarantinedServices } from './report.ts';
import { Prober } from './probe.ts';
import { Reporter, selfServedAddress } from './reporter.ts';
import { Store } from './store.ts';
import { createSyncObserver } from './syncObserver.ts';

/** What a test brings itself. */
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

const defaultTiming: AgentTiming = {
  reflector: {},
  nodeProxyWaitMs: 10_000,
  statusIntervalMs: 10_000,
  stopGraceMs: 8000,
};

const lastReportMs = 3000;

/** What `proxyconfig agent` runs: works until the signal fires, then ends in order and resolves. */
export async function runAgent(
  config: AgentConfig,
  signal: AbortSignal,
  parts: Partial<AgentParts> = {},
): Promise<void> {
  const logger = parts.logger ?? createLogger(config.logLevel);
  const client =
    parts.client ??
    createKubeClient(loadKubeConfig(config.kubernetes), { userAgent: `proxyconfig-agent/${config.version}` });
  const metrics = parts.metrics ?? createAgentMetrics();
  const agent = new Agent(config, { kernel: kernelAccess(), timing: defaultTiming, ...parts, logger, client, metrics });
  logger.info('agent starts', { version: config.version, node: config.nodeName, server: client.server });
  try {
    await Promise.race([agent.start(), aborted(signal)]);
    await aborted(signal);
  } finally {
    await agent.stop();
    await client.close();
    logger.info('agent stopped; the rules stay in place');
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/**
 * The same failure of one kind of object is a warning once in five minutes: an API server may be away for long, or a
 * kind never served.
 */
const repeatWarningMs = 300_000;

function apiErrorObserver(
  metrics: AgentMetrics,
  logger: Logger,
): (resource: string, error: unknown, retryInMs: number) => void {
  const told = new Map<string, { readonly what: string; readonly at: number }>();
  return (resource, error, retryInMs) => {
    metrics.apiErrors.inc({ resource });
    const what = error instanceof ApiError ? `${error.status} ${error.reason}` : String(error);
    const last = told.get(resource);
    const isRepeated = last?.what === what && performance.now() - last.at < repeatWarningMs;
    if (!isRepeated) told.set(resource, { what, at: performance.now() });
    logger[isRepeated ? 'debug' : 'warn']('list or watch failed', {
      resource,
      error,
      retryInMs: Math.round(retryInMs),
    });
  };
}

class Agent {
  readonly #config: AgentConfig;
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
  #governor: Governor | undefined;
  #guard: Promise<Guard> | undefined;
  #remarks: readonly ConditionNow[] = [];
  #settingsOf: DesiredConfig | undefined;
  #node: ObservedNode = { record: undefined, eligible: true };
  #saved: DesiredConfig | undefined;
  #saving: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(config: AgentConfig, parts: AgentParts) {
    const { client, logger, metrics, timing } = parts;
    const { nodeName } = config;
    this.#config = config;
    this.#parts = parts;
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
      onNews: () => this.#onNews(),
      followers: this.#followers,
    });
    const { makeBackend } = parts.kernel;
    const onReconsider = (): void => this.#governor?.reconsider();
    this.#dataplane = new Dataplane({
      store: this.#store,
      makeBackend,
      observer,
      logger,
      onReconsider,
      onNews: () => this.#onNews(),
    });
    const writer = createStatusWriter({
      client,
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'NodeProxy',
      name: nodeName,
      path: `${nodeProxiesPath}/${nodeName}`,
      fieldManager: 'proxyconfig-agent',
      intervalMs: timing.statusIntervalMs,
      onError: (error, retryInMs) => logger.warn('the NodeProxy status was not written', { error, retryInMs }),
    });
    this.#reporter = new Reporter(writer, { agentVersion: config.version, kernel: os.release() });
    this.#prober = new Prober({ store: this.#store, logger, onNews: () => this.#onNews() });
    this.#conntrackUse = new ConntrackUse({
      sysctls: parts.kernel.sysctls,
      metrics,
      logger,
      onNews: () => this.#onNews(),
    });
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
    this.#saved = await this.#loadSaved();
    const governor = new Governor({
      dataplane: this.#dataplane,
      saved: this.#saved,
      logger,
      onAnswer: () => this.#onNews(),
    });
    this.#governor = governor;
    this.#watch.start();
    this.#source.start();
    await this.#watch.synced;
    logger.info('Services, EndpointSlices and Node are known');
    await this.#source.first({ waitMs: timing.nodeProxyWaitMs, orAbsent: this.#saved !== undefined });
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
    await this.#saving;
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

  async #loadSaved(): Promise<DesiredConfig | undefined> {
    try {
      return await loadSavedConfig(this.#config.stateDirectory);
    } catch (error) {
      this.#parts.logger.error('the saved configuration cannot be used', {
        directory: this.#config.stateDirectory,
        error,
      });
      return undefined;
    }
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
      remarks: [...this.#remarks, ...this.#conntrackUse.conditions(), ...this.#followers.remarks()],
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
    const { metrics, logger } = this.#parts;
    metrics.configInfo.reset();
    metrics.configInfo.set({ mode: inForce.config.mode, revision: inForce.revision, source: inForce.source }, 1);
    void this.#applySettings(inForce);
    if (inForce.source !== 'NodeProxy' || inForce === this.#saved || isProving === true) return;
    this.#saved = inForce;
    this.#saving = this.#saving
      .then(() => saveConfig(this.#config.stateDirectory, inForce))
      .catch((error: unknown) => logger.error('the configuration in force could not be saved', { error }));
  }

  /**
   * Once for each configuration, when its rules stand: they bring the kernel's module along, and with it the settings.
   */
  async #applySettings(inForce: DesiredConfig): Promise<void> {
    if (inForce === this.#settingsOf) return;
    this.#settingsOf = inForce;
    const { kernel, logger } = this.#parts;
    try {
      const refused = await applySettings(conntrackSettings(inForce.config.conntrack), kernel.sysctls);
      if (inForce !== this.#settingsOf) return;
      if (refused.length > 0)
        logger.warn('conntrack settings that the kernel does not let the agent write', { refused });
      this.#remarks = settingsCondition(refused);
      this.#onNews();
    } catch (error) {
      logger.error('the conntrack settings could not be applied', { error });
    }
  }
}
