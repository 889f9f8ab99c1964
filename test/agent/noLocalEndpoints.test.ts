import { describe, expect, test } from '@jest/globals';
import { NoLocalEndpointsMetric } from '../../src/agent/metrics/noLocalEndpoints.ts';
import type { ServicePort } from '../../src/model/servicePort.ts';
import type { ServiceState } from '../../src/model/serviceState.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { stateOf } from '../support/serviceManifests.ts';
import { syncWith } from './syncWith.ts';

const here = { address: '10.1.0.1', port: 80, isLocal: true };
const there = { address: '10.1.0.2', port: 80, isLocal: false };
const port = (parts: Partial<ServicePort>): ServicePort => ({
  namespace: 'default',
  serviceName: 'web',
  portName: '',
  protocol: 'TCP',
  clusterIP: '10.96.0.1',
  port: 80,
  nodePort: 0,
  externalIPs: [],
  loadBalancerIPs: [],
  loadBalancerSourceRanges: [],
  internalTrafficPolicy: 'Cluster',
  externalTrafficPolicy: 'Cluster',
  affinityTimeoutSeconds: undefined,
  healthCheckNodePort: 0,
  clusterEndpoints: [there],
  localEndpoints: [],
  servingEndpoints: [there],
  readyLocalEndpoints: 0,
  hasRefusedExternalIPs: false,
  restrictsSources: false,
  lostAddresses: new Map(),
  ...parts,
});

const rows = [
  { name: 'policy Cluster', ports: [port({})], counts: { internal: 0, external: 0 } },
  {
    name: 'internal policy Local, endpoints elsewhere',
    ports: [port({ internalTrafficPolicy: 'Local' })],
    counts: { internal: 1, external: 0 },
  },
  {
    name: 'internal policy Local, an endpoint here',
    ports: [port({ internalTrafficPolicy: 'Local', clusterEndpoints: [here], localEndpoints: [here] })],
    counts: { internal: 0, external: 0 },
  },
  {
    name: 'internal policy Local, no endpoints at all: refused, not dropped',
    ports: [port({ internalTrafficPolicy: 'Local', clusterEndpoints: [] })],
    counts: { internal: 0, external: 0 },
  },
  {
    name: 'external policy Local of a NodePort',
    ports: [port({ externalTrafficPolicy: 'Local', nodePort: 30_080 }), port({})],
    counts: { internal: 0, external: 1 },
  },
  {
    name: 'external policy Local of a Service that nobody outside reaches',
    ports: [port({ externalTrafficPolicy: 'Local' })],
    counts: { internal: 0, external: 0 },
  },
];
function serving(...served: readonly ServicePort[]): ServiceState {
  return { ...stateOf('ipv4', []), keys: () => ['default/web'], ports: () => served };
}

describe('NoLocalEndpointsMetric', () => {
  test.each(rows)('counts $name', async ({ ports, counts }) => {
    const metrics = createAgentMetrics();
    const listener = new NoLocalEndpointsMetric('ipv4', metrics);
    const read = async (): Promise<unknown> => {
      const { values } = await metrics.noLocalEndpoints.get();
      return Object.fromEntries(values.map(({ labels, value }) => [labels['traffic_policy'], value]));
    };
    syncWith(listener, serving(...ports), ['default/web'], { hasFailed: true });
    expect(await read()).toEqual({});
    syncWith(listener, serving(...ports));
    expect(await read()).toEqual(counts);
    syncWith(listener, serving(), ['default/web'], { hasFailed: true });
    expect(await read()).toEqual(counts);
    syncWith(listener, serving());
    expect(await read()).toEqual({ internal: 0, external: 0 });
  });
});
