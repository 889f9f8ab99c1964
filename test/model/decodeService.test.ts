import { describe, expect, test } from '@jest/globals';
import { decodeService } from '../../src/model/decodeService.ts';

type Json = Readonly<Record<string, unknown>>;

function service(spec: Json = {}, rest: { metadata?: Json; status?: Json } = {}): Json {
  const { metadata, status } = rest;
  return {
    metadata: { namespace: 'default', name: 'web', uid: 'u1', ...metadata },
    spec: { clusterIP: '10.96.0.1', ports: [{ port: 80 }], ...spec },
    ...(status && { status }),
  };
}
describe('decodeService', () => {
  test('what the API server leaves out has its default', () => {
    expect(decodeService(service())).toEqual({
      problems: [],
      record: {
        namespace: 'default',
        name: 'web',
        uid: 'u1',
        createdAt: Number.MAX_SAFE_INTEGER,
        type: 'ClusterIP',
        clusterIPs: ['10.96.0.1'],
        externalIPs: [],
        loadBalancerIPs: [],
        loadBalancerSourceRanges: [],
        internalTrafficPolicy: 'Cluster',
        externalTrafficPolicy: 'Cluster',
        affinityTimeoutSeconds: undefined,
        healthCheckNodePort: 0,
        ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }],
      },
    });
  });

  const taken: readonly { name: string; object: Json; record: Json }[] = [
    {
      name: 'addresses with leading zeros are decimal',
      object: service({ clusterIP: '172.30.0.041' }),
      record: { clusterIPs: ['172.30.0.41'] },
    },
    {
      name: 'IPv6 addresses get their one spelling',
      object: service({ clusterIP: 'FD00:0::1', clusterIPs: ['FD00:0::1', '10.0.0.1'] }),
      record: { clusterIPs: ['fd00::1', '10.0.0.1'] },
    },
    {
      name: 'affinity without a timeout has the default of the API',
      object: service({ sessionAffinity: 'ClientIP' }),
      record: { affinityTimeoutSeconds: 10_800 },
    },
    {
      name: 'affinity with a timeout',
      object: service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }),
      record: { affinityTimeoutSeconds: 60 },
    },
    {
      name: 'source ranges lose their blanks and host bits',
      object: service({ loadBalancerSourceRanges: [' 10.1.2.3/8 '] }),
      record: { loadBalancerSourceRanges: ['10.0.0.0/8'] },
    },
    {
      name: 'load balancer addresses, but not those that the balancer itself must see',
      object: service(
        { type: 'LoadBalancer' },
        {
          status: {
            loadBalancer: {
              ingress: [
                { ip: '203.0.113.1' },
                { ip: '203.0.113.2', ipMode: 'Proxy' },
                { hostname: 'lb.example' },
                { ip: '203.0.113.3', ipMode: 'VIP' },
              ],
            },
          },
        },
      ),
      record: { loadBalancerIPs: ['203.0.113.1', '203.0.113.3'] },
    },
    {
      name: 'load balancer addresses of another type are left over and not served',
      object: service({}, { status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } } }),
      record: { loadBalancerIPs: [] },
    },
    {
      name: 'a health check port only with the policy that needs one',
      object: service({ type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 }),
      record: { healthCheckNodePort: 31_000 },
    },
    {
      name: 'a health check port without that policy',
      object: service({ type: 'LoadBalancer', healthCheckNodePort: 31_000 }),
      record: { healthCheckNodePort: 0 },
    },
  ];
  test.each(taken)('$name', ({ object, record }) => {
    expect(decodeService(object)).toMatchObject({ problems: [], record });
  });

  const left: readonly { name: string; object: Json }[] = [
    { name: 'headless', object: service({ clusterIP: 'None' }) },
    {
      name: 'headless by its label',
      object: service({}, { metadata: { labels: { 'service.kubernetes.io/headless': '' } } }),
    },
    { name: 'not yet allocated', object: service({ clusterIP: '' }) },
    { name: 'ExternalName', object: service({ type: 'ExternalName' }) },
    {
      name: "another proxy's",
      object: service({}, { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } }),
    },
  ];
  test.each(left)('$name: not served, and no problem', ({ object }) => {
    expect(decodeService(object)).toEqual({ record: undefined, problems: [] });
  });

  const refused: readonly { name: string; object: Json; field: string }[] = [
    {
      name: 'a line end in the name',
      object: service({}, { metadata: { name: 'web\n-A INPUT -j DROP' } }),
      field: 'metadata.name',
    },
    {
      name: 'a quote in the namespace',
      object: service({}, { metadata: { namespace: 'a"b' } }),
      field: 'metadata.namespace',
    },
    {
      name: 'a backslash in a port name',
      object: service({ ports: [{ name: 'a\\', port: 80 }] }),
      field: 'spec.ports[0].name',
    },
    { name: 'a host name for an address', object: service({ clusterIP: 'example.org' }), field: 'spec.clusterIP' },
    {
      name: 'an octal-looking address out of range',
      object: service({ clusterIP: '10.0.0.0256' }),
      field: 'spec.clusterIP',
    },
    {
      name: 'two addresses of a family',
      object: service({ clusterIPs: ['10.0.0.1', '10.0.0.2'] }),
      field: 'spec.clusterIPs',
    },
    { name: 'port 0', object: service({ ports: [{ port: 0 }] }), field: 'spec.ports[0].port' },
    { name: 'a port that is text', object: service({ ports: [{ port: '80' }] }), field: 'spec.ports[0].port' },
    {
      name: 'a node port out of range',
      object: service({ ports: [{ port: 80, nodePort: 70_000 }] }),
      field: 'spec.ports[0].nodePort',
    },
    {
      name: 'an unknown protocol',
      object: service({ ports: [{ port: 80, protocol: 'ICMP' }] }),
      field: 'spec.ports[0].protocol',
    },
    {
      name: 'an unknown policy',
      object: service({ externalTrafficPolicy: 'Nearby' }),
      field: 'spec.externalTrafficPolicy',
    },
    {
      name: 'a source range that is none',
      object: service({ loadBalancerSourceRanges: ['10.0.0.0/33'] }),
      field: 'spec.loadBalancerSourceRanges[0]',
    },
    {
      name: 'an external IP that is none',
      object: service({ externalIPs: ['10.0.0.1; rm'] }),
      field: 'spec.externalIPs[0]',
    },
    { name: 'two ports without a name', object: service({ ports: [{ port: 80 }, { port: 81 }] }), field: 'spec.ports' },
    { name: 'ports that are no list', object: service({ ports: { port: 80 } }), field: 'spec.ports' },
    {
      name: 'an affinity timeout out of range',
      object: service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }),
      field: 'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
    },
  ];
  test.each(refused)('$name: the whole Service is refused', ({ object, field }) => {
    const { record, problems } = decodeService(object);
    expect(record).toBeUndefined();
    expect(problems).toEqual([
      { field, message: expect.any(String), remedy: expect.stringContaining(`set ${field} to`) },
    ]);
    expect(problems[0]?.message).not.toContain('\n');
  });

  test('what is no object at all is left alone', () => {
    for (const object of [undefined, null, 7, 'text', []])
      expect(decodeService(object)).toEqual({ record: undefined, problems: [] });
  });
});
