import { describe, expect, test } from '@jest/globals';
import { bigKey, stateWithBig } from '../support/bigService.ts';
import { stateOf, type ServiceManifest } from '../support/serviceManifests.ts';

const base: ServiceManifest = {
  name: 'web',
  clusterIP: { ipv4: '10.96.0.1', ipv6: 'fd00:10:96::1' },
  ports: [
    { name: 'a', port: 80 },
    { name: 'b', port: 81 },
  ],
  pods: ['podA', 'podB', { pod: 'podC', conditions: { ready: false } }],
};

describe('ServiceState.size', () => {
  const rows = [
    { name: 'ports and endpoints, ready or not', manifest: base, size: { ports: 2, endpoints: 6, frontends: 1 } },
    {
      name: 'several slices',
      manifest: { ...base, slices: [{ pods: ['podA'] }, { pods: ['podA', 'podB'] }] } as ServiceManifest,
      size: { endpoints: 6 },
    },
    {
      name: 'all addresses, NodePorts and source ranges',
      manifest: {
        ...base,
        ports: [{ port: 80, nodePort: 30_080 }],
        loadBalancerIP: { ipv4: '203.0.113.1', ipv6: '2001:db8:2::1' },
        spec: {
          type: 'LoadBalancer',
          externalIPs: ['198.51.100.1'],
          loadBalancerSourceRanges: ['192.0.2.0/24', '198.51.100.0/24'],
        },
      },
      size: { ports: 1, endpoints: 3, frontends: 5, sourceRanges: 2 },
    },
    { name: 'affinity', manifest: { ...base, spec: { sessionAffinity: 'ClientIP' } }, size: { hasAffinity: true } },
  ];
  test.each(rows)('counts $name', ({ manifest, size }) => {
    expect(stateOf('ipv4', [manifest]).size('default/web')).toMatchObject(size);
  });

  test('is nothing of a Service that is gone', () => {
    expect(stateOf('ipv4', []).size('default/web')).toMatchObject({ ports: 0, endpoints: 0, frontends: 0 });
  });

  test('counts only slices that name the port, where there are many endpoints', () => {
    const state = stateWithBig({ ports: 250, endpoints: 3 }, stateOf('ipv4', [base]));
    expect(state.size(bigKey)).toMatchObject({ ports: 250, endpoints: 750 });
  });
});
