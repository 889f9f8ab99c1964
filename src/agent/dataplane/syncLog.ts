/**
 * Turns what the sync loops do into log lines.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { Logger } from '../../observability/logger.ts';
import type { SyncListener } from './syncListener.ts';
import type { SyncRun } from './syncStatus.ts';

/** A partial sync that succeeds is logged at level debug; Services that are left out whenever their list changes. */
export function createSyncLog(logger: Logger): SyncListener {
  const logged = new Map<IPFamily, string>();
  function logQuarantine(family: IPFamily, { quarantined = [] }: SyncRun['result']): void {
    const services = quarantined.map(({ service, reason }) => `${service}: ${reason}`);
    const what = services.join('\n');
    if (what === (logged.get(family) ?? '')) return;
    logged.set(family, what);
    logger.warn('Services that are left out', { family, services });
  }

  return {
    onSuccess({ status: { family } }, { result, durationMs }): void {
      const { full, servicePortsPlanned, linesSent, services, endpoints } = result;
      logger[full ? 'info' : 'debug']('synced', {
        family,
        full,
        servicePortsPlanned,
        linesSent,
        services,
        endpoints,
        durationMs: Math.round(durationMs),
      });
      logQuarantine(family, result);
    },
    onFailure: ({ status: { family, failures } }, { error, retryInMs }) =>
      logger.error('sync failed', { family, reason: error.reason, error, failures, retryInMs: Math.round(retryInMs) }),
    onDrift: ({ status: { family } }, what) => logger.warn('rules of ours are missing in the kernel', { family, what }),
    onOutdated: ({ status: { family } }, why) => logger.info('everything is written anew', { family, why }),
  };
}
