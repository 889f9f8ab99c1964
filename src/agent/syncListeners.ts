/**
 * What depends on the syncs beside the rules: stale UDP flows, health-check node ports, the metric
 * `sync_proxy_rules_no_local_endpoints_total` and the condition `ExternalIPs`.
 *
 * What the caller may rely on: `onStart` and `onSuccess` return at once, never throw, and never delay a sync by waiting
 * for the kernel or the network. `conditions` is what the last started syncs make true.
 *
 * Goals:
 *  1. Nothing invites traffic before the rules for it are in the kernel, and no flow is ended while the rules still
 *     lead new packets to the old endpoint.
 *  2. A sync that fails loses nothing: the next one brings its Services in.
 *  3. The cost follows the change, as that of the sync does.
 *  4. Each IP family counts for itself, because each has its own sync loop.
 *
 * How each is met:
 *  1. `onStart` reads from the store what the sync is about to write. `onSuccess` acts: the UDP cleaner ends flows that
 *     lead nowhere by what `onStart` read, and the health-check node ports are opened, closed and answered by the
 *     endpoints in the store then. Metric and condition are set in `onStart` already.
 *  2. A failed sync is followed by a full one, whose `onStart` replaces what the failed one left.
 *  3. Only the Services that a sync writes are read. A full sync reads all in the store, and all that a listener
 *     remembers, so that what is gone is forgotten.
 *  4. There is one UDP cleaner, one set of health-check node ports and one counter for each family. The condition is
 *     about Services, so both families write the same set.
 *
 * Concurrency: for each family `onStart` and `onSuccess` alternate as the syncs do; the families are independent. UDP
 * flows are ended in the background, one pass of a family at a time. The updates of health-check node ports of both
 * families are chained, one at a time. `stop` waits for all of it.
 */
import type { ConditionNow } from '../api/conditions.ts';
import { type IPFamily, ipFamilies } from '../model/ipFamily.ts';
import type { ServiceKey } from '../model/service.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import type { Logger } from '../observability/logger.ts';
import type { Conntrack } from '../netfilter/conntrack/tools/conntrack.ts';
import { NoLocalEndpointsCounter } from './metrics/noLocalEndpoints.ts';
import { RefusedExternalIPs } from './status/refusedExternalIPs.ts';
import { healthCheckAddresses, ServiceHealth } from './healthcheck/serviceHealth.ts';
import type { Store } from './watch/store.ts';
import { familyLabels } from './metrics/familyLabels.ts';
import { UdpCleaner } from './conntrack/udpCleaner.ts';

export interface SyncListenersOptions {
  readonly store: Store;
  readonly nodeName: string;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  /** Whether the rules on this node are kept up to date; health-check node ports answer 503 where they are not. */
  readonly isHealthy: () => boolean;
  readonly conntrack: Conntrack;
}

export interface SyncListeners {
  /** A sync of this family starts to write these Services. */
  onStart(family: IPFamily, changed: ReadonlySet<ServiceKey> | 'all', state: ServiceState): void;
  /** What `onStart` announced is in the kernel. */
  onSuccess(family: IPFamily): void;
  /** For the NodeProxy: `ExternalIPs` where some are not allowed. */
  conditions(): readonly ConditionNow[];
  /** Resolves when flows are no longer ended and all health-check node ports are closed. */
  stop(): Promise<void>;
}

/** Opens nothing and starts nothing before the first `onSuccess`. */
export function createSyncListeners({
  store,
  nodeName,
  metrics,
  logger,
  isHealthy,
  conntrack,
}: SyncListenersOptions): SyncListeners {
  const slicesOf = (key: ServiceKey) => store.slicesOf(key);
  const cleanerFor = (family: IPFamily): UdpCleaner =>
    new UdpCleaner({ family, conntrack, slicesOf, metrics, logger, label: { ip_family: familyLabels[family] } });
  const udpCleaners: { readonly [family in IPFamily]: UdpCleaner } = {
    ipv4: cleanerFor('ipv4'),
    ipv6: cleanerFor('ipv6'),
  };
  const healthFor = (family: IPFamily): ServiceHealth =>
    new ServiceHealth({ family, service: (key) => store.service(key), slicesOf, nodeName, isHealthy, logger });
  const health: { readonly [family in IPFamily]: ServiceHealth } = { ipv4: healthFor('ipv4'), ipv6: healthFor('ipv6') };
  const started = new Map<IPFamily, { readonly keys: readonly ServiceKey[]; readonly state: ServiceState }>();
  const noLocalEndpoints: { readonly [family in IPFamily]: NoLocalEndpointsCounter } = {
    ipv4: new NoLocalEndpointsCounter(),
    ipv6: new NoLocalEndpointsCounter(),
  };
  const countNoLocalEndpoints = (family: IPFamily, keys: Iterable<ServiceKey>, state: ServiceState): void => {
    for (const key of keys) noLocalEndpoints[family].set(key, state.ports(key));
    for (const policy of ['internal', 'external'] as const)
      metrics.noLocalEndpoints.set(
        { ip_family: familyLabels[family], traffic_policy: policy },
        noLocalEndpoints[family].total()[policy],
      );
  };
  const refusedExternalIPs = new RefusedExternalIPs();
  let updating = Promise.resolve();
  return {
    onStart: (family, changed, state) => {
      udpCleaners[family].onSyncStart(changed, state);
      countNoLocalEndpoints(
        family,
        changed === 'all' ? new Set([...state.keys(), ...noLocalEndpoints[family].keys()]) : changed,
        state,
      );
      for (const key of changed === 'all' ? new Set([...state.keys(), ...refusedExternalIPs.keys()]) : changed)
        refusedExternalIPs.set(key, store.service(key), state.config);
      started.set(family, {
        keys: changed === 'all' ? [...state.keys(), ...health[family].keys()] : [...changed],
        state,
      });
    },
    onSuccess: (family) => {
      udpCleaners[family].onSyncSuccess();
      const synced = started.get(family);
      started.delete(family);
      if (synced === undefined) return;
      const { keys, state } = synced;
      updating = updating.then(() =>
        health[family].update(keys, () => healthCheckAddresses(state.config, state.node, family)),
      );
    },
    conditions: () => refusedExternalIPs.conditions(),
    stop: async () => {
      await Promise.all(ipFamilies.map((family) => udpCleaners[family].stop()));
      await updating;
      await Promise.all(ipFamilies.map((family) => health[family].stop()));
    },
  };
}
