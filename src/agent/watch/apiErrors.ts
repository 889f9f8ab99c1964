/**
 * Reports failed lists and watches: a metric each time, and a warning where it does not repeat the last one.
 */
import { ApiError } from '../../kube/apiError.ts';
import type { Logger } from '../../observability/logger.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';

/** `resource` is the plural of the kind. */
export type ApiErrorObserver = (resource: string, error: unknown, retryInMs: number) => void;

/**
 * The same failure of one resource is a warning once in five minutes, else a debug message: an API server may be away
 * for long, or a kind never served.
 */
const repeatWarningMs = 300_000;

/** Remembers the last failure of each resource. */
export function apiErrorObserver(metrics: Pick<AgentMetrics, 'apiErrors'>, logger: Logger): ApiErrorObserver {
  const reported = new Map<string, { readonly what: string; readonly at: number }>();
  return (resource, error, retryInMs) => {
    metrics.apiErrors.inc({ resource });
    const what = error instanceof ApiError ? `${error.status} ${error.reason}` : String(error);
    const last = reported.get(resource);
    const isRepeated = last?.what === what && performance.now() - last.at < repeatWarningMs;
    if (!isRepeated) reported.set(resource, { what, at: performance.now() });
    const fields = { resource, error, retryInMs: Math.round(retryInMs) };
    if (isRepeated) logger.debug('list or watch failed', fields);
    else logger.warn('list or watch failed', fields);
  };
}
