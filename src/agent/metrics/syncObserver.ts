/**
 * Turns what the sync loops do into metrics and log lines, and passes it on to the sync listeners and the report.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import type { Logger } from '../../observability/logger.ts';
import { familyLabels } from './familyLabels.ts';
import type { SyncListeners } from '../syncListeners.ts';
import type { ServiceChange } from '../watch/store.ts';
import type { SyncFailure, SyncObserver, SyncRun } from '../dataplane/syncStatus.ts';

export interface SyncObserverOptions {
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  /** In ms since the epoch. The latency of changes from before the agent started is not measured. */
  readonly startedAt: number;
  /** A sync ended or drift was found, so the status may be different now. */
  readonly onStatusChange: () => void;
  readonly syncListeners: Pick<SyncListeners, 'onStart' | 'onSuccess'>;
}

/** The metrics are named as kube-proxy's where it has them. */
export function createSyncObserver({
  metrics,
  logger,
  startedAt,
  onStatusChange,
  syncListeners,
}: SyncObserverOptions): SyncObserver {
  function countChange({ kind }: ServiceChange, label: { ip_family: string }): void {
    const [total, pending] =
      kind === 'service'
        ? [metrics.serviceChanges, metrics.serviceChangesPending]
        : [metrics.endpointChanges, metrics.endpointChangesPending];
    total.inc(label);
    pending.inc(label);
  }

  function measure({ result, durationMs, triggerTimes }: SyncRun, label: { ip_family: string }): void {
    const seconds = durationMs / 1000;
    const now = Date.now();
    metrics.syncDuration.observe(label, seconds);
    (result.full ? metrics.fullSyncDuration : metrics.partialSyncDuration).observe(label, seconds);
    for (const time of triggerTimes)
      if (time > startedAt) metrics.networkProgrammingDuration.observe(label, Math.max(0, now - time) / 1000);
    metrics.lastSync.set(label, now / 1000);
    metrics.servicePortsPlanned.inc(label, result.servicePortsPlanned);
    metrics.linesSent.inc(label, result.linesSent);
    metrics.commandsRun.inc(label, result.commandsRun);
    metrics.services.set(label, result.services);
    metrics.endpoints.set(label, result.endpoints);
    for (const [table, rules] of Object.entries(result.rulesByTable))
      metrics.iptablesRules.set({ ...label, table }, rules);
    for (const [table, rules] of Object.entries(result.rulesWritten ?? {}))
      metrics.iptablesRulesWritten.set({ ...label, table }, rules);
  }

  function countFailure({ error, wasFull }: SyncFailure, label: { ip_family: string }): void {
    metrics.syncFailures.inc({ ...label, reason: error.reason });
    if (error.tool !== 'iptables-restore') return;
    metrics.restoreFailures.inc(label);
    if (!wasFull) metrics.partialRestoreFailures.inc(label);
  }

  const logged = new Map<IPFamily, string>();
  function logQuarantine(family: IPFamily, { quarantined = [] }: SyncRun['result']): void {
    const services = quarantined.map(({ service, reason }) => `${service}: ${reason}`);
    const what = services.join('\n');
    if (what === (logged.get(family) ?? '')) return;
    logged.set(family, what);
    logger.warn('Services that are left out', { family, services });
  }

  return {
    onQueued({ status: { family } }, change): void {
      const label = { ip_family: familyLabels[family] };
      metrics.lastQueued.set(label, Date.now() / 1000);
      if (change !== undefined) countChange(change, label);
    },
    onStart: ({ status: { family } }, changed, state) => syncListeners.onStart(family, changed, state),
    onSuccess({ status: { family, queuedSince } }, run): void {
      syncListeners.onSuccess(family);
      const label = { ip_family: familyLabels[family] };
      measure(run, label);
      if (queuedSince === undefined) {
        metrics.serviceChangesPending.set(label, 0);
        metrics.endpointChangesPending.set(label, 0);
      }
      const { full, servicePortsPlanned, linesSent, services, endpoints } = run.result;
      logger[full ? 'info' : 'debug']('synced', {
        family,
        full,
        servicePortsPlanned,
        linesSent,
        services,
        endpoints,
        durationMs: Math.round(run.durationMs),
      });
      logQuarantine(family, run.result);
      onStatusChange();
    },
    onFailure({ status: { family, failures } }, failure): void {
      countFailure(failure, { ip_family: familyLabels[family] });
      logger.error('sync failed', {
        family,
        reason: failure.error.reason,
        error: failure.error,
        failures,
        retryInMs: Math.round(failure.retryInMs),
      });
      onStatusChange();
    },
    onDrift({ status: { family } }, what): void {
      metrics.drifts.inc({ ip_family: familyLabels[family] });
      logger.warn('rules of ours are missing in the kernel', { family, what });
      onStatusChange();
    },
    onOutdated: ({ status: { family } }, why) => logger.info('everything is written anew', { family, why }),
  };
}
