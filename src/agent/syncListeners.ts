/**
 * What follows a sync beside its rules, off its path: stale UDP flows are ended, and health-check node ports answer by
 * what is in the kernel now.
 */
import type { ConditionNow } from '../api/conditions.ts';
import { type IPFamily, ipFamilies } from '../model/ipFamily.ts';
import type { ServiceKey } from '../model/service.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import type { Logger } from '../observability/logger.ts';
import type { Conntrack } from '../system/conntrack.ts';
import { NoLocalEndpointsCounter } from './noLocalEndpoints.ts';
import { RefusedExternalIPs } from './refusedExternalIPs.ts';
import { healthCheckAddresses, ServiceHealth } from './serviceHealth.ts';
import type { Store } from './store.ts';
import { familyLabels } from './familyLabels.ts';
import { UdpCleaner } from './udpCleaner.ts';

export interface SyncListenersOptions {
  readonly store: Store;
  readonly nodeName: string;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  readonly isHealthy: () => boolean;
  readonly conntrack: Conntrack;
}

export interface SyncListeners {
  onStart(family: IPFamily, changed: ReadonlySet<ServiceKey> | 'all', state: ServiceState): void;
  onSuccess(family: IPFamily): void;
  /** What is to be said of Services beside their rules. */
  conditions(): readonly ConditionNow[];
  stop(): Promise<void>;
}

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
  const cleaners: { readonly [family in IPFamily]: UdpCleaner } = {
    ipv4: cleanerFor('ipv4'),
    ipv6: cleanerFor('ipv6'),
  };
  const healthFor = (family: IPFamily): ServiceHealth =>
    new ServiceHealth({ family, service: (key) => store.service(key), slicesOf, nodeName, isHealthy, logger });
  const health: { readonly [family in IPFamily]: ServiceHealth } = { ipv4: healthFor('ipv4'), ipv6: healthFor('ipv6') };
  const syncing = new Map<IPFamily, { readonly keys: readonly ServiceKey[]; readonly state: ServiceState }>();
  const gaps: { readonly [family in IPFamily]: NoLocalEndpointsCounter } = {
    ipv4: new NoLocalEndpointsCounter(),
    ipv6: new NoLocalEndpointsCounter(),
  };
  const countGaps = (family: IPFamily, keys: Iterable<ServiceKey>, state: ServiceState): void => {
    for (const key of keys) gaps[family].set(key, state.ports(key));
    for (const policy of ['internal', 'external'] as const)
      metrics.noLocalEndpoints.set(
        { ip_family: familyLabels[family], traffic_policy: policy },
        gaps[family].total()[policy],
      );
  };
  const refused = new RefusedExternalIPs();
  let updating = Promise.resolve();
  return {
    onStart: (family, changed, state) => {
      cleaners[family].syncing(changed, state);
      countGaps(family, changed === 'all' ? new Set([...state.keys(), ...gaps[family].keys()]) : changed, state);
      for (const key of changed === 'all' ? new Set([...state.keys(), ...refused.keys()]) : changed)
        refused.set(key, store.service(key), state.config);
      syncing.set(family, {
        keys: changed === 'all' ? [...state.keys(), ...health[family].keys()] : [...changed],
        state,
      });
    },
    onSuccess: (family) => {
      cleaners[family].synced();
      const synced = syncing.get(family);
      syncing.delete(family);
      if (synced === undefined) return;
      const { keys, state } = synced;
      updating = updating.then(() =>
        health[family].synced(keys, () => healthCheckAddresses(state.config, state.node, family)),
      );
    },
    conditions: () => refused.conditions(),
    stop: async () => {
      await Promise.all(ipFamilies.map((family) => cleaners[family].stop()));
      await updating;
      await Promise.all(ipFamilies.map((family) => health[family].stop()));
    },
  };
}
