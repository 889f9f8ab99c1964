/**
 * How often a full sync asks who answers for a Service: with all that follows a sync, on the real backend and a fake
 * kernel. Choosing is the cost of a full sync on a node with many Services, and what is chosen twice may differ.
 */
import { describe, expect, test } from '@jest/globals';
import { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import { createSyncListeners } from '../../src/agent/syncListeners.ts';
import { createBackend } from '../../src/backend/registry.ts';
import type { EndpointRecord, EndpointSliceRecord } from '../../src/model/endpointSlice.ts';
import { type IPFamily, ipFamilies } from '../../src/model/ipFamily.ts';
import { nodeAddressesOf } from '../../src/model/nodeAddresses.ts';
import type { ServiceKey, ServiceRecord } from '../../src/model/service.ts';
import { serviceStateOf } from '../../src/model/serviceState.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { FakeKernel } from '../backend/iptables/fakeKernel.ts';
import { defaultConfig, node } from '../support/serviceManifests.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';

const prefixes: { readonly [family in IPFamily]: { readonly service: string; readonly pod: string } } = {
  ipv4: { service: '10.96.', pod: '10.1.' },
  ipv6: { service: 'fd00:96::', pod: 'fd00:1::' },
};
const addressOf = (prefix: string, index: number): string =>
  prefix.includes(':') ? `${prefix}${(index + 1).toString(16)}` : `${prefix}${index >> 8}.${index & 255}`;

function serviceOf(index: number): ServiceRecord {
  return {
    namespace: 'default',
    name: `web-${index}`,
    uid: '',
    createdAt: 0,
    type: 'NodePort',
    clusterIPs: ipFamilies.map((family) => addressOf(prefixes[family].service, index)),
    externalIPs: [],
    loadBalancerIPs: [],
    loadBalancerSourceRanges: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Local',
    affinityTimeoutSeconds: undefined,
    healthCheckNodePort: 0,
    ports: [
      { name: 'tcp', protocol: 'TCP', port: 80, nodePort: 0 },
      { name: 'udp', protocol: 'UDP', port: 80, nodePort: 30_000 + index },
    ],
  };
}

function endpointAt(address: string): EndpointRecord {
  const nodeName = 'elsewhere';
  return { address, nodeName, ready: true, serving: true, terminating: false, nodeHints: [], zoneHints: [] };
}

/** Its ports are read once each time when endpoints are chosen for one port of the Service. */
function countedSlice(index: number, family: IPFamily, onRead: () => void): EndpointSliceRecord {
  const ports = (['tcp', 'udp'] as const).map((name) => ({
    name,
    protocol: name === 'tcp' ? ('TCP' as const) : ('UDP' as const),
    port: 8080,
  }));
  return {
    namespace: 'default',
    name: `web-${index}-${family}`,
    service: `default/web-${index}`,
    family,
    get ports() {
      onRead();
      return ports;
    },
    endpoints: [1, 2].map((host) => endpointAt(addressOf(prefixes[family].pod, 2 * index + host))),
    lastChangeTriggerTime: undefined,
  };
}

describe('SyncLoop with all its listeners', () => {
  test.each(ipFamilies.flatMap((family) => [10, 1000].map((count) => ({ family, count }))))(
    'chooses the endpoints of $count Services once a port in a full sync of $family',
    async ({ family, count }) => {
      let reads = 0;
      const services = new Map<ServiceKey, ServiceRecord>();
      const slices = new Map<ServiceKey, readonly EndpointSliceRecord[]>();
      for (let index = 0; index < count; index += 1) {
        services.set(`default/web-${index}`, serviceOf(index));
        slices.set(`default/web-${index}`, [countedSlice(index, family, () => (reads += 1))]);
      }
      const metrics = createAgentMetrics();
      const listeners = createSyncListeners({
        metrics,
        logger: silentLogger,
        isHealthy: () => true,
        conntrack: { listUdp: () => Promise.resolve(), deleteUdp: () => Promise.resolve(0) },
        readNodeAddresses: (record) => nodeAddressesOf([], record),
        readListeningSockets: () => Promise.resolve([]),
        onStatusChange: () => undefined,
      });
      const loop = new SyncLoop({
        family,
        backend: createBackend('iptables', family, new FakeKernel(family).host),
        state: () => serviceStateOf({ services, slices, node, config: defaultConfig, family }),
        listeners: listeners.all,
        logger: silentLogger,
      });
      try {
        loop.start();
        await until('it has synced', () => loop.status.result !== undefined);
        expect(loop.status.result).toMatchObject({ full: true, servicePortsPlanned: 2 * count });
        expect(reads).toBe(2 * count);
        // The listeners have followed: all endpoints are elsewhere, and the policy of each node port is Local.
        const { values } = await metrics.noLocalEndpoints.get();
        expect(values.find(({ labels }) => labels['traffic_policy'] === 'external')?.value).toBe(count);
      } finally {
        await loop.stop(1000);
        await listeners.stop();
      }
    },
  );
});
