import http from 'node:http';
import { describe, expect, test } from '@jest/globals';
import {
  healthCheckAddresses,
  localEndpoints,
  ServiceHealth,
  serviceHealthAnswer,
} from '../../src/agent/healthcheck/serviceHealth.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { EndpointSliceRecord } from '../../src/model/endpointSlice.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { NodeRecord } from '../../src/model/node.ts';
import { until } from '../support/until.ts';

const ready = { ready: true, serving: true, terminating: false };
const draining = { ready: false, serving: true, terminating: true };

function sliceOf(
  ...endpoints: readonly { address: string; nodeName: string; conditions: object }[]
): EndpointSliceRecord {
  const { record } = decodeEndpointSlice({
    metadata: { namespace: 'default', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: endpoints.some(({ address }) => address.includes(':')) ? 'IPv6' : 'IPv4',
    ports: [{ name: '', port: 80 }],
    endpoints: endpoints.map(({ address, nodeName, conditions }) => ({ addresses: [address], nodeName, conditions })),
  });
  return record as EndpointSliceRecord;
}

const here = { address: '10.1.0.1', nodeName: 'node-1', conditions: ready };
const here6 = { ...here, address: 'fd00::1' };
const counts = [
  { name: 'one on this node', slices: [sliceOf(here)], ipv4: 1, ipv6: 0 },
  { name: 'one in two slices', slices: [sliceOf(here), sliceOf(here)], ipv4: 1, ipv6: 0 },
  { name: 'one on another node', slices: [sliceOf({ ...here, nodeName: 'node-2' })], ipv4: 0, ipv6: 0 },
  {
    name: 'not one that drains: it still answers, but is to get no new connections',
    slices: [sliceOf({ ...here, conditions: draining })],
    ipv4: 0,
    ipv6: 0,
  },
  { name: 'one pod with an address of each family', slices: [sliceOf(here), sliceOf(here6)], ipv4: 1, ipv6: 1 },
  { name: 'one of IPv6 alone', slices: [sliceOf({ ...here, nodeName: 'node-2' }), sliceOf(here6)], ipv4: 0, ipv6: 1 },
];
describe('localEndpoints', () => {
  test.each(counts)('counts $name', ({ slices, ipv4, ipv6 }) => {
    expect([localEndpoints(slices, 'node-1', 'ipv4'), localEndpoints(slices, 'node-1', 'ipv6')]).toEqual([ipv4, ipv6]);
  });
});

describe('serviceHealthAnswer', () => {
  const answers = [
    { name: 'two endpoints', endpoints: 2, healthy: true, status: 200 },
    { name: 'no endpoint', endpoints: 0, healthy: true, status: 503 },
    { name: 'an endpoint, but rules that are not kept up to date', endpoints: 2, healthy: false, status: 503 },
  ];
  test.each(answers)('answers $status for $name', ({ endpoints, healthy, status }) => {
    expect(serviceHealthAnswer('default/web', endpoints, healthy)).toEqual({
      status,
      contentType: 'application/json',
      body: `{"service":{"namespace":"default","name":"web"},"localEndpoints":${endpoints},"serviceProxyHealthy":${healthy}}`,
      headers: { 'X-Load-Balancing-Endpoint-Weight': String(endpoints) },
    });
  });
});

async function freePort(): Promise<number> {
  const server = http.createServer().listen(0);
  await until('a port is free', () => server.listening);
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('ServiceHealth', () => {
  const hosts = { ipv4: '127.0.0.1', ipv6: '[::1]' };

  test('serves the port in each family while the Service asks for it, with the endpoints of the last update', async () => {
    const port = await freePort();
    const balanced = {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      clusterIPs: ['10.96.0.1', 'fd00:96::1'],
      clusterIP: '10.96.0.1',
      healthCheckNodePort: port,
      ports: [{ port: 80 }],
    };
    let spec: object = balanced;
    let slices = [sliceOf(here), sliceOf(here6)];
    const warnings: unknown[] = [];
    const logger = {
      error: () => undefined,
      warn: (...words: unknown[]) => void warnings.push(words),
      info: () => undefined,
      debug: () => undefined,
    };
    const service = () => decodeService({ metadata: { namespace: 'default', name: 'web' }, spec }).record;
    const node = decodeNode({ metadata: { name: 'node-1' } }).record as NodeRecord;
    const of = (family: IPFamily): ServiceHealth =>
      new ServiceHealth({ family, service, slicesOf: () => slices, nodeName: 'node-1', isHealthy: () => true, logger });
    const health = { ipv4: of('ipv4'), ipv6: of('ipv6') };
    const update = async (...families: readonly IPFamily[]): Promise<void> => {
      for (const family of families)
        await health[family].update(['default/web'], () => healthCheckAddresses({}, node, family));
    };
    const ask = async (family: IPFamily): Promise<unknown> => {
      const response = await fetch(`http://${hosts[family]}:${port}/whatever`, { headers: { connection: 'close' } });
      return [response.status, response.headers.get('x-load-balancing-endpoint-weight')];
    };
    const untilOpen = (family: IPFamily): Promise<void> =>
      until('the port answers', async () =>
        ask(family).then(
          () => true,
          () => false,
        ),
      );
    try {
      await update('ipv4', 'ipv6');
      await untilOpen('ipv4');
      await untilOpen('ipv6');
      expect([await ask('ipv4'), await ask('ipv6')]).toEqual([
        [200, '1'],
        [200, '1'],
      ]);
      slices = [sliceOf(here6)];
      expect(await ask('ipv4')).toEqual([200, '1']);
      await update('ipv4', 'ipv6');
      expect([await ask('ipv4'), await ask('ipv6')]).toEqual([
        [503, '0'],
        [200, '1'],
      ]);
      spec = { ...balanced, clusterIPs: ['10.96.0.1'] };
      await update('ipv4', 'ipv6');
      expect(await ask('ipv4')).toEqual([503, '0']);
      await expect(ask('ipv6')).rejects.toThrow();
      spec = { type: 'ClusterIP', clusterIP: '10.96.0.1', ports: [{ port: 80 }] };
      await update('ipv4', 'ipv6');
      await expect(ask('ipv4')).rejects.toThrow();
      expect(warnings).toEqual([]);
    } finally {
      await Promise.all([health.ipv4.stop(), health.ipv6.stop()]);
    }
  });
});
