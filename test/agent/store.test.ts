import { beforeEach, describe, expect, test } from '@jest/globals';
import { builtInConfig } from '../../src/api/defaults.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { type ServiceChange, Store } from '../../src/agent/watch/store.ts';
import { node, service, slice, type SliceOptions } from '../support/objects.ts';

let store: Store;
let changes: string[];
let triggers: (number | undefined)[];

beforeEach(() => {
  store = new Store();
  changes = [];
  triggers = [];
  store.listen({
    onChange: ({ family, kind, service: key, triggerTime }: ServiceChange) => {
      changes.push(`${family} ${kind} ${key}`);
      triggers.push(triggerTime);
    },
    onNodeChange: () => changes.push('node'),
    onClusterIPsChange: () => changes.push('cluster IPs'),
  });
});

const setService = (name: string, options?: Parameters<typeof service>[1]): void =>
  store.setService(`default/${name}`, decodeService(service(name, options)));
const setSlice = (name: string, options?: SliceOptions): void =>
  store.setSlice(`default/${options?.name ?? `${name}-1`}`, decodeEndpointSlice(slice(name, options)));

function endpointsOf(key: string, family: 'ipv4' | 'ipv6' = 'ipv4'): string[] {
  const record = decodeNode(node()).record;
  if (record === undefined) throw new Error('the test Node does not decode');
  return store
    .state(family, record, builtInConfig())
    .ports(key)
    .flatMap((port) => port.clusterEndpoints.map(({ address }) => address));
}

describe('Store', () => {
  describe('reports the right changes for', () => {
    const dualStack = ['10.96.0.10', 'fd00::10'];
    const cases: { name: string; before?: () => void; change: () => void; expected: string[] }[] = [
      { name: 'a new Service', change: () => setService('web'), expected: ['ipv4 service default/web'] },
      {
        name: 'a new Service of both families',
        change: () => setService('web', { clusterIPs: dualStack }),
        expected: ['ipv4 service default/web', 'ipv6 service default/web'],
      },
      {
        name: 'a Service updated without a difference that matters',
        before: () => setService('web'),
        change: () => setService('web', { labels: { a: 'b' } }),
        expected: [],
      },
      {
        name: 'another port',
        before: () => setService('web'),
        change: () => setService('web', { port: 81 }),
        expected: ['ipv4 service default/web'],
      },
      {
        name: 'a Service that loses a family',
        before: () => setService('web', { clusterIPs: dualStack }),
        change: () => setService('web'),
        expected: ['ipv4 service default/web', 'ipv6 service default/web'],
      },
      {
        name: 'a Service that another proxy takes over',
        before: () => setService('web'),
        change: () => setService('web', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }),
        expected: ['ipv4 service default/web'],
      },
      {
        name: 'another Service that takes an address of it',
        before: () => setService('web', { clusterIPs: ['10.96.0.2'], externalIPs: ['198.51.100.7', '10.96.0.3'] }),
        change: () => setService('api', { clusterIPs: ['10.96.0.3'] }),
        expected: ['ipv4 service default/api', 'ipv4 service default/web'],
      },
      {
        name: 'another Service that gives an address back',
        before: () => {
          setService('web', { clusterIPs: ['10.96.0.2'], externalIPs: ['198.51.100.7'] });
          setService('api', { clusterIPs: ['10.96.0.3'], externalIPs: ['198.51.100.7'] });
        },
        change: () => setService('api', { clusterIPs: ['10.96.0.3'] }),
        expected: ['ipv4 service default/api', 'ipv4 service default/web'],
      },
      {
        name: 'a Service deleted',
        before: () => setService('web'),
        change: () => store.removeService('default/web'),
        expected: ['ipv4 service default/web'],
      },
      {
        name: 'a Service deleted that was never known',
        change: () => store.removeService('default/web'),
        expected: [],
      },
      { name: 'a new slice', change: () => setSlice('web'), expected: ['ipv4 endpoints default/web'] },
      {
        name: 'a slice updated without a difference that matters',
        before: () => setSlice('web'),
        change: () => setSlice('web', { triggerTime: '2026-01-01T00:00:00Z' }),
        expected: [],
      },
      {
        name: 'another endpoint',
        before: () => setSlice('web'),
        change: () => setSlice('web', { addresses: ['10.1.0.2'] }),
        expected: ['ipv4 endpoints default/web'],
      },
      {
        name: 'an IPv6 slice',
        change: () => setSlice('web', { addresses: ['fd00::1'], addressType: 'IPv6' }),
        expected: ['ipv6 endpoints default/web'],
      },
      {
        name: 'a slice that goes over to another Service',
        before: () => setSlice('web'),
        change: () => setSlice('api', { name: 'web-1' }),
        expected: ['ipv4 endpoints default/api', 'ipv4 endpoints default/web'],
      },
      {
        name: 'a slice deleted',
        before: () => setSlice('web'),
        change: () => store.removeSlice('default/web-1'),
        expected: ['ipv4 endpoints default/web'],
      },
      { name: 'a new Node', change: () => store.setNode(decodeNode(node()).record), expected: ['node'] },
      {
        name: 'a Node updated without a difference that matters',
        before: () => store.setNode(decodeNode(node()).record),
        change: () => store.setNode(decodeNode(node()).record),
        expected: [],
      },
      {
        name: 'a Node with another address',
        before: () => store.setNode(decodeNode(node()).record),
        change: () => store.setNode(decodeNode(node('node-1', ['192.168.0.2'])).record),
        expected: ['node'],
      },
      {
        name: 'a Node made anew that has no address yet: those known stay',
        before: () => store.setNode(decodeNode(node()).record),
        change: () => store.setNode(decodeNode(node('node-1', [])).record),
        expected: [],
      },
      {
        name: 'a Node that is gone: it stays as it was',
        before: () => store.setNode(decodeNode(node()).record),
        change: () => store.setNode(undefined),
        expected: [],
      },
    ];
    test.each(cases)('$name', ({ before, change, expected }) => {
      before?.();
      changes.length = 0;
      change();
      expect(changes).toEqual(expected);
    });
  });

  test('gives the endpoints of all slices of a Service', () => {
    setService('web');
    setSlice('web', { addresses: ['10.1.0.1', '10.1.0.2'] });
    setSlice('web', { name: 'web-2', addresses: ['10.1.0.3'] });
    expect(endpointsOf('default/web')).toEqual(['10.1.0.1', '10.1.0.2', '10.1.0.3']);
    store.removeSlice('default/web-1');
    expect(endpointsOf('default/web')).toEqual(['10.1.0.3']);
    expect(endpointsOf('default/web', 'ipv6')).toEqual([]);
    store.removeService('default/web');
    expect(endpointsOf('default/web')).toEqual([]);
  });

  test('reports a trigger time once: an annotation that stayed belongs to an earlier change', () => {
    const triggerTime = '2026-01-01T00:00:00.5Z';
    setSlice('web', { triggerTime });
    setSlice('web', { triggerTime, addresses: ['10.1.0.2'] });
    expect(triggers).toEqual([Date.parse(triggerTime), undefined]);
  });

  describe('with invalid objects', () => {
    test('serves nothing for an invalid Service, and names it until it is corrected', () => {
      setService('web');
      setService('web', { clusterIPs: ['evil.example.com'] });
      expect(endpointsOf('default/web')).toEqual([]);
      expect(store.invalidServices()).toMatchObject([{ service: 'default/web', reason: 'InvalidService' }]);
      expect(store.invalidServices()[0]?.message).toContain('spec.clusterIPs[0]');
      setService('web');
      expect(store.invalidServices()).toEqual([]);
    });

    test('leaves out an invalid endpoint, serves the others, and names the Service until the slice is gone', () => {
      setService('web');
      setSlice('web', { addresses: ['127.0.0.1', '10.1.0.2'] });
      expect(endpointsOf('default/web')).toEqual(['10.1.0.2']);
      expect(store.invalidServices()).toMatchObject([{ service: 'default/web', reason: 'InvalidEndpointSlice' }]);
      store.removeSlice('default/web-1');
      expect(store.invalidServices()).toEqual([]);
    });
  });
});
