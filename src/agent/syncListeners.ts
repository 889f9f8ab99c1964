/**
 * @module What depends on the syncs beside the rules: metrics, log lines, stale UDP flows, health-check node ports, and
 * the conditions `ExternalIPs` and `NodePorts`. Wiring only.
 *
 * All of them learn what a Service serves from the sync that writes it, and act when that has succeeded: nothing
 * invites traffic before the rules for it are in the kernel, no flow is ended while the rules still lead new packets to
 * the old endpoint, and no endpoint is chosen twice. A sync that fails loses nothing, because the next one is full.
 */
import type { NodeConditionNow } from '../api/nodeConditions.ts';
import type { QuarantinedService, SyncResult } from '../backend/backend.ts';
import { ipFamilies } from '../model/ipFamily.ts';
import type { Conntrack } from '../netfilter/conntrack/tools/conntrack.ts';
import type { Logger } from '../observability/logger.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import { releaseMemory } from '../system/memory.ts';
import { UdpCleaner } from './conntrack/udpCleaner.ts';
import type { SyncListener } from './dataplane/syncListener.ts';
import { createSyncLog } from './dataplane/syncLog.ts';
import { ServiceHealth } from './healthcheck/serviceHealth.ts';
import type { ReadNodeAddresses } from './kernel/nodeAddresses.ts';
import { NoLocalEndpointsMetric } from './metrics/noLocalEndpoints.ts';
import { createSyncMetrics } from './metrics/syncMetrics.ts';
import { ClaimedAddresses } from './status/claimedAddresses.ts';
import { type PortConflict, PortConflicts, type PortConflictsOptions } from './status/portConflicts.ts';
import { RefusedExternalIPs } from './status/refusedExternalIPs.ts';

export interface SyncListenersOptions {
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  /** Whether the rules on this node are kept up to date; health-check node ports answer 503 where they are not. */
  readonly isHealthy: () => boolean;
  readonly conntrack: Conntrack;
  readonly readNodeAddresses: ReadNodeAddresses;
  readonly readListeningSockets: PortConflictsOptions['readListeningSockets'];
  /** `conditions` or `portConflicts` changed without a sync. */
  readonly onStatusChange: () => void;
}

export interface SyncListeners {
  /** In the order in which they are to be called. */
  readonly all: readonly SyncListener[];
  /** For the NodeProxy: `ExternalIPs` where some are not allowed, `NodePorts` where others listen on some. */
  conditions(): readonly NodeConditionNow[];
  /** For the NodeProxy: Services that are not served at an address of theirs because it is another's. */
  claimed(): readonly QuarantinedService[];
  /** For the NodeProxy: ports of Services that other programs listen on. */
  portConflicts(): readonly PortConflict[];
  /** Resolves when flows are no longer ended and all health-check node ports are closed. */
  stop(): Promise<void>;
}

/** Opens nothing and starts nothing before the first sync has succeeded. */
export function createSyncListeners({
  metrics,
  logger,
  isHealthy,
  conntrack,
  readNodeAddresses,
  readListeningSockets,
  onStatusChange,
}: SyncListenersOptions): SyncListeners {
  const udpCleaners = ipFamilies.map(
    (family) => new UdpCleaner({ family, conntrack, readNodeAddresses, metrics, logger }),
  );
  const health = ipFamilies.map((family) => new ServiceHealth({ family, readNodeAddresses, isHealthy, logger }));
  const refusedExternalIPs = new RefusedExternalIPs();
  const claimedAddresses = new ClaimedAddresses();
  const portConflicts = new PortConflicts({ readListeningSockets, readNodeAddresses, metrics, logger, onStatusChange });
  return {
    all: [
      createSyncMetrics({ metrics, startedAt: Date.now() }),
      createSyncLog(logger),
      ...udpCleaners,
      ...health,
      ...ipFamilies.map((family) => new NoLocalEndpointsMetric(family, metrics)),
      refusedExternalIPs,
      claimedAddresses,
      portConflicts,
      { onSuccess: (_loop, { result }) => releaseGarbage(result) },
    ],
    conditions: () => [...refusedExternalIPs.conditions(), ...portConflicts.conditions()],
    claimed: () => claimedAddresses.services(),
    portConflicts: () => portConflicts.found,
    stop: async () => {
      await Promise.all([...udpCleaners, ...health, portConflicts].map((listener) => listener.stop()));
    },
  };
}

/** From so many Services on a full sync leaves tens of megabytes of garbage behind. */
const manyServices = 1000;

function releaseGarbage({ full, services }: SyncResult): void {
  if (full && services >= manyServices) releaseMemory();
}
