/**
 * The answers to `/healthz` and `/livez`, as kube-proxy gives them, so that load balancers and probes need not learn
 * anything.
 *
 * Both are 503 when something waits to be programmed for twice the sync period. `/healthz` says whether to send traffic
 * here: it is 503 also before the first sync and while the Node is on its way out. `/livez` says whether a restart
 * could help, which it could not while the API server is away.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { DataplaneStatus } from '../dataplane/dataplaneStatus.ts';
import type { SyncStatus } from '../dataplane/syncStatus.ts';

export interface HealthFacts {
  readonly dataplane: DataplaneStatus;
  /** Whether load balancers may send new connections here. */
  readonly isNodeEligible: boolean;
  /** In ms, as `performance.now()` counts. */
  readonly monotonicNow: number;
  readonly now: Date;
}

export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly body: HealthBody;
}

/** The fields of kube-proxy's answer (pkg/proxy/healthcheck). */
interface HealthBody {
  readonly lastUpdated: string;
  readonly currentTime: string;
  readonly nodeEligible: boolean;
  readonly healthy: boolean;
  readonly status: Readonly<Record<string, { readonly lastUpdated: string; readonly healthy: boolean }>>;
}

const familyNames: { readonly [family in IPFamily]: string } = { ipv4: 'IPv4', ipv6: 'IPv6' };
const never = new Date(0);

/** 200 when every family has synced, nothing waits too long, and the Node is not on its way out; else 503. */
export function healthz(facts: HealthFacts): HealthAnswer {
  const { families } = facts.dataplane;
  const hasSynced = families.length > 0 && families.every(({ lastSuccess }) => lastSuccess !== undefined);
  return answer(facts, hasSynced && facts.isNodeEligible);
}

/** As `healthz`, without the Node: the readiness of the agent's Pod. */
export function readyz(facts: HealthFacts): HealthAnswer {
  return healthz({ ...facts, isNodeEligible: true });
}

/** 200 unless something waits too long to be programmed; else 503. */
export function livez(facts: HealthFacts): HealthAnswer {
  return answer(facts, true);
}

function answer(facts: HealthFacts, isOtherwiseHealthy: boolean): HealthAnswer {
  const { families } = facts.dataplane;
  const entries = families.map(
    (status) =>
      [
        familyNames[status.family],
        { lastUpdated: time(status.lastSuccess), healthy: !isStuck(status, facts) },
      ] as const,
  );
  const healthy = isOtherwiseHealthy && entries.every(([, family]) => family.healthy);
  const updates = families.map(({ lastSuccess }) => time(lastSuccess)).sort();
  // Where nothing changes nothing is updated, and the node would look forgotten; so a healthy one has always just been.
  const lastUpdated = healthy ? time(facts.now) : (updates.at(-1) ?? time(undefined));
  return {
    status: healthy ? 200 : 503,
    body: {
      lastUpdated,
      currentTime: time(facts.now),
      nodeEligible: facts.isNodeEligible,
      healthy,
      status: Object.fromEntries(entries),
    },
  };
}

function isStuck({ queuedSince }: SyncStatus, { dataplane, monotonicNow }: HealthFacts): boolean {
  const periodMs = (dataplane.accepted?.config.sync.periodSeconds ?? 30) * 1000;
  return queuedSince !== undefined && monotonicNow - queuedSince >= 2 * periodMs;
}

function time(date: Date | undefined): string {
  return (date ?? never).toISOString();
}

/**
 * Whether a Node, as the API server gives it, should get new connections: not while it is being deleted, or the cluster
 * autoscaler is about to remove it (KEP-3836).
 */
export function isEligible(node: unknown): boolean {
  const { metadata, spec } = node as {
    metadata?: { deletionTimestamp?: string };
    spec?: { taints?: { key?: string }[] };
  };
  const isLeaving = spec?.taints?.some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler') ?? false;
  return metadata?.deletionTimestamp === undefined && !isLeaving;
}
