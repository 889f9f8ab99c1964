import http from 'node:http';
import { expect, test } from '@jest/globals';
import { localEndpoints, ServiceHealth, serviceHealthAnswer } from '../../src/agent/serviceHealth.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { EndpointSliceRecord } from '../../src/model/endpointSlice.ts';
import { until } from '../kube/until.ts';

const ready = { ready: true, serving: true, terminating: false };
const draining = { ready: false, serving: true, terminating: true };

function sliceOf(...endpoints: readonly { address: string; nodeName: string; conditions: object }[]): EndpointSliceRecord {
  const { record } = decodeEndpointSlice({
    metadata: { namespace: 'default', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 80 }],
    endpoints: endpoints.map(({ address, nodeName, conditions }) => ({ addresses: [address], nodeName, conditions })),
  });
  return record as EndpointSliceRecord;
}

const here = { address: '10.1.0.1', nodeName: 'node-1', conditions: ready };
const counts = [
  { name: 'one here', slices: [sliceOf(here)], count: 1 },
  { name: 'one in two slices', slices: [sliceOf(here), sliceOf(here)], count: 1 },
  { name: 'one elsewhere', slices: [sliceOf({ ...here, nodeName: 'node-2' })], count: 0 },
  { name: 'one that drains: it still answers, but new connections are better sent elsewhere', slices: [sliceOf({ ...here, conditions: draining })], count: 0 },
];
test.each(counts)('local endpoints: $name', ({ slices, count }) => {
  expect(localEndpoints(slices, 'node-1')).toBe(count);
});

const answers = [
  { name: 'two endpoints', endpoints: 2, healthy: true, status: 200 },
  { name: 'no endpoint', endpoints: 0, healthy: true, status: 503 },
  { name: 'an endpoint, but rules that are not kept up to date', endpoints: 2, healthy: false, status: 503 },
];
test.each(answers)('the answer for $name', ({ endpoints, healthy, status }) => {
  expect(serviceHealthAnswer('default/web', endpoints, healthy)).toEqual({
    status,
    contentType: 'application/json',
    body: `{"service":{"namespace":"default","name":"web"},"localEndpoints":${endpoints},"serviceProxyHealthy":${healthy}}`,
    headers: { 'X-Load-Balancing-Endpoint-Weight': String(endpoints) },
  });
});

async function freePort(): Promise<number> {
  const server = http.createServer().listen(0);
  await until('a port is free', () => server.listening);
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const everywhere = (): readonly undefined[] => [undefined];

test('the port is served on both families while the Service asks for it, with what was last in the kernel', async () => {
  const port = await freePort();
  let spec: object = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', clusterIP: '10.96.0.1', healthCheckNodePort: port, ports: [{ port: 80 }] };
  let slices = [sliceOf(here)];
  const warnings: unknown[] = [];
  const silent = { error: () => undefined, warn: (...words: unknown[]) => void warnings.push(words), info: () => undefined, debug: () => undefined };
  const service = () => decodeService({ metadata: { namespace: 'default', name: 'web' }, spec }).record;
  const health = new ServiceHealth({ service, slicesOf: () => slices, nodeName: 'node-1', isHealthy: () => true, logger: silent });
  const ask = async (host: string): Promise<unknown> => {
    const response = await fetch(`http://${host}:${port}/whatever`, { headers: { connection: 'close' } });
    return [response.status, response.headers.get('x-load-balancing-endpoint-weight')];
  };
  try {
    await health.synced(['default/web'], everywhere);
    await until('the port answers', async () => ask('127.0.0.1').then(() => true, () => false));
    expect(await ask('127.0.0.1')).toEqual([200, '1']);
    expect(await ask('[::1]')).toEqual([200, '1']);
    slices = [];
    expect(await ask('127.0.0.1')).toEqual([200, '1']);
    await health.synced(['default/web'], everywhere);
    expect(await ask('127.0.0.1')).toEqual([503, '0']);
    spec = { type: 'ClusterIP', clusterIP: '10.96.0.1', ports: [{ port: 80 }] };
    await health.synced(['default/web'], everywhere);
    await expect(ask('127.0.0.1')).rejects.toThrow();
    expect(warnings).toEqual([]);
  } finally {
    await health.stop();
  }
});
