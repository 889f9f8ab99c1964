import { describe, expect, test } from '@jest/globals';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';

type Json = Readonly<Record<string, unknown>>;

function slice(fields: Json = {}, metadata: Json = {}): Json {
  return {
    addressType: 'IPv4',
    metadata: {
      namespace: 'default',
      name: 'web-1',
      uid: 'u2',
      labels: { 'kubernetes.io/service-name': 'web' },
      ...metadata,
    },
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: [{ addresses: ['10.244.1.2'] }],
    ...fields,
  };
}
describe('decodeEndpointSlice', () => {
  test('what the API server leaves out has its default', () => {
    expect(decodeEndpointSlice(slice())).toEqual({
      problems: [],
      record: {
        namespace: 'default',
        name: 'web-1',
        service: 'default/web',
        family: 'ipv4',
        ports: [{ name: '', protocol: 'TCP', port: 8080 }],
        endpoints: [
          {
            address: '10.244.1.2',
            ready: true,
            serving: true,
            terminating: false,
            nodeName: '',
            nodeHints: [],
            zoneHints: [],
          },
        ],
        lastChangeTriggerTime: undefined,
      },
    });
  });

  const parts: readonly { name: string; object: Json; record: Json; fields?: readonly string[] }[] = [
    {
      name: 'only the first address counts',
      object: slice({ endpoints: [{ addresses: ['10.1.1.1', 'nonsense'] }] }),
      record: { endpoints: [{ address: '10.1.1.1' }] },
    },
    {
      name: 'conditions',
      object: slice({
        endpoints: [{ addresses: ['10.1.1.1'], conditions: { ready: false, serving: null, terminating: true } }],
      }),
      record: { endpoints: [{ ready: false, serving: true, terminating: true }] },
    },
    {
      name: 'hints and place',
      object: slice({
        endpoints: [
          {
            addresses: ['10.1.1.1'],
            nodeName: 'n1',
            hints: { forZones: [{ name: 'z1' }], forNodes: [{ name: 'n1' }] },
          },
        ],
      }),
      record: { endpoints: [{ nodeName: 'n1', nodeHints: ['n1'], zoneHints: ['z1'] }] },
    },
    {
      name: 'ports without a name or a number are not for Services',
      object: slice({ ports: [{ port: 80 }, { name: 'all' }, { name: 'a', port: 1 }] }),
      record: { ports: [{ name: 'a', protocol: 'TCP', port: 1 }] },
    },
    {
      name: 'the time of the change that led to it',
      object: slice(
        {},
        { annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-02T03:04:05.678901234Z' } },
      ),
      record: { lastChangeTriggerTime: Date.UTC(2026, 0, 2, 3, 4, 5, 678) },
    },
    {
      name: 'loopback endpoints are left out',
      object: slice({ endpoints: [{ addresses: ['127.0.0.1'] }, { addresses: ['10.1.1.1'] }] }),
      record: { endpoints: [{ address: '10.1.1.1' }] },
      fields: ['endpoints[0].addresses[0]'],
    },
    {
      name: 'link-local endpoints are left out',
      object: slice({ endpoints: [{ addresses: ['169.254.169.254'] }] }),
      record: { endpoints: [] },
      fields: ['endpoints[0].addresses[0]'],
    },
    {
      name: 'IPv6 loopback and link-local endpoints are left out',
      object: slice({ addressType: 'IPv6', endpoints: [{ addresses: ['::1'] }, { addresses: ['fe80::1'] }] }),
      record: { family: 'ipv6', endpoints: [] },
      fields: ['endpoints[0].addresses[0]', 'endpoints[1].addresses[0]'],
    },
    {
      name: 'loopback that is written as IPv6 is left out',
      object: slice({ addressType: 'IPv6', endpoints: [{ addresses: ['::ffff:127.0.0.1'] }] }),
      record: { endpoints: [] },
      fields: ['endpoints[0].addresses[0]'],
    },
    {
      name: 'a host name is left out, the others serve',
      object: slice({ endpoints: [{ addresses: ['evil.example'] }, { addresses: ['10.1.1.1'] }] }),
      record: { endpoints: [{ address: '10.1.1.1' }] },
      fields: ['endpoints[0].addresses[0]'],
    },
    {
      name: 'a hostile port name is left out',
      object: slice({ ports: [{ name: 'a"\n', port: 80 }] }),
      record: { ports: [] },
      fields: ['ports[0].name'],
    },
  ];
  test.each(parts)('$name', ({ object, record, fields = [] }) => {
    const decoded = decodeEndpointSlice(object);
    expect(decoded).toMatchObject({ record });
    expect(decoded.problems.map(({ field }) => field)).toEqual(fields);
  });

  const left: readonly { name: string; object: Json }[] = [
    { name: 'of names', object: slice({ addressType: 'FQDN' }) },
    { name: 'of no Service', object: slice({}, { labels: {} }) },
    {
      name: 'of a headless Service',
      object: slice({}, { labels: { 'kubernetes.io/service-name': 'web', 'service.kubernetes.io/headless': '' } }),
    },
  ];
  test.each(left)('$name: not of interest', ({ object }) => {
    expect(decodeEndpointSlice(object)).toEqual({ record: undefined, problems: [] });
  });

  test('a Service name that could not be one is refused', () => {
    const { record, problems } = decodeEndpointSlice(slice({}, { labels: { 'kubernetes.io/service-name': 'a/b' } }));
    expect(record).toBeUndefined();
    expect(problems[0]?.field).toBe('metadata.labels[kubernetes.io/service-name]');
  });
});
