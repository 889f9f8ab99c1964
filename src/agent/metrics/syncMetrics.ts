/**
 * Turns what the sync loops do into metrics.
 */
import type { AgentMetrics } from '../../observability/metrics.ts';
import type { SyncListener } from '../dataplane/syncListener.ts';
import type { SyncFailure, SyncRun } from '../dataplane/syncStatus.ts';
import type { ServiceChange } from '../watch/store.ts';
import { familyLabels } from './familyLabels.ts';

export interface SyncMetricsOptions {
  readonly metrics: AgentMetrics;
  /** In ms since the epoch. The latency of changes from before the agent started is not measured. */
  readonly startedAt: number;
}

/** The metrics are named as kube-proxy's where it has them. */
export function createSyncMetrics({
  metrics,
  startedAt,
}: SyncMetricsOptions): Required<Pick<SyncListener, 'onQueued' | 'onSuccess' | 'onFailure' | 'onDrift'>> {
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

  return {
    onQueued({ status: { family } }, change): void {
      const label = { ip_family: familyLabels[family] };
      metrics.lastQueued.set(label, Date.now() / 1000);
      if (change !== undefined) countChange(change, label);
    },
    onSuccess({ status: { family, queuedSince } }, run): void {
      const label = { ip_family: familyLabels[family] };
      measure(run, label);
      if (queuedSince !== undefined) return;
      metrics.serviceChangesPending.set(label, 0);
      metrics.endpointChangesPending.set(label, 0);
    },
    onFailure: ({ status: { family } }, failure) => countFailure(failure, { ip_family: familyLabels[family] }),
    onDrift: ({ status: { family } }) => metrics.drifts.inc({ ip_family: familyLabels[family] }),
  };
}
