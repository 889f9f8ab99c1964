import http from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { healthCheckAddresses, ServiceHealth, serviceHealthAnswer } from '../../src/agent/healthcheck/serviceHealth.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { nodeAddressesOf } from '../../src/model/nodeAddresses.ts';
import { type ServiceManifest, stateOf } from '../support/serviceManifests.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';
import { syncWith } from './syncWith.ts';

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

describe('healthCheckAddresses', () => {
  const node = nodeAddressesOf(
    [
      { device: 'lo', address: '127.0.0.1' },
      { device: 'eth0', address: '192.0.2.1' },
      { device: 'eth0', address: '2001:db8::1' },
      { device: 'eth0', address: 'fe80::1' },
      { device: 'eth1', address: '198.51.100.1' },
      { device: 'kube-ipvs0', address: '198.51.100.96' },
    ],
    { addresses: ['192.0.2.1', '2001:db8::1'] },
  );
  test.each<{ name: string; addresses?: string[]; ipv4: string[]; ipv6: string[] }>([
    { name: 'all without a setting', ipv4: ['0.0.0.0'], ipv6: ['::'] },
    { name: 'the primary ones', addresses: ['primary'], ipv4: ['192.0.2.1'], ipv6: ['2001:db8::1'] },
    { name: 'those in a network', addresses: ['198.51.100.0/24'], ipv4: ['198.51.100.1'], ipv6: [] },
    { name: 'all of a family, said as a network', addresses: ['::/0'], ipv4: [], ipv6: ['::'] },
    { name: 'all, said as a word', addresses: ['primary', 'all'], ipv4: ['0.0.0.0'], ipv6: ['::'] },
    {
      name: 'the primary ones and those in a network, each once',
      addresses: ['primary', '198.51.100.0/24', '192.0.2.0/24'],
      ipv4: ['192.0.2.1', '198.51.100.1'],
      ipv6: ['2001:db8::1'],
    },
    { name: 'none that is link-local', addresses: ['fe80::/10', '2001::/16'], ipv4: [], ipv6: ['2001:db8::1'] },
  ])('$name', ({ addresses, ipv4, ipv6 }) => {
    const nodePorts = addresses && { nodePorts: { addresses } };
    const of = (family: IPFamily): unknown => healthCheckAddresses({ mode: 'iptables', ...nodePorts }, node, family);
    expect([of('ipv4'), of('ipv6')]).toEqual([ipv4, ipv6]);
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
  const clusterIP = { ipv4: '10.96.0.1', ipv6: 'fd00:96::1' };

  test('serves the port in each family while the Service asks for it, with the endpoints of the last sync', async () => {
    const port = await freePort();
    const warnings: unknown[] = [];
    const logger = {
      error: () => undefined,
      warn: (...words: unknown[]) => void warnings.push(words),
      info: () => undefined,
      debug: () => undefined,
    };
    const of = (family: IPFamily): ServiceHealth =>
      new ServiceHealth({
        family,
        readNodeAddresses: (record) => nodeAddressesOf([], record),
        isHealthy: () => true,
        logger,
      });
    const health = { ipv4: of('ipv4'), ipv6: of('ipv6') };
    const sync = (pods: ServiceManifest['pods'], spec: object, hasFailed = false): void => {
      const balanced = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port };
      const manifest = { name: 'web', clusterIP, pods: pods ?? [], spec: { ...balanced, ...spec } };
      for (const family of ['ipv4', 'ipv6'] as const)
        syncWith(health[family], stateOf(family, [manifest]), ['default/web'], { hasFailed });
    };
    const ask = async (family: IPFamily): Promise<string> => {
      const url = `http://${hosts[family]}:${port}/whatever`;
      const answer = fetch(url, { headers: { connection: 'close' } });
      return answer.then(
        ({ status, headers }) => `${status} ${headers.get('x-load-balancing-endpoint-weight')}`,
        () => 'closed',
      );
    };
    const untilAnswers = async (ipv4: string, ipv6: string): Promise<void> => {
      const expected = `${ipv4}, ${ipv6}`;
      await until(`the answers are ${expected}`, async () => `${await ask('ipv4')}, ${await ask('ipv6')}` === expected);
    };
    try {
      sync(['podA'], {});
      await untilAnswers('200 1', '200 1');
      sync([], {}, true);
      sync(['podA', 'podB'], {});
      await untilAnswers('200 2', '200 2');
      sync(['remotePod'], {});
      await untilAnswers('503 0', '503 0');
      sync(['podA'], { clusterIPs: [clusterIP.ipv4] });
      await untilAnswers('200 1', 'closed');
      sync(['podA'], { type: 'ClusterIP', healthCheckNodePort: undefined, externalTrafficPolicy: undefined });
      await untilAnswers('closed', 'closed');
      expect(warnings).toEqual([]);
    } finally {
      await Promise.all([health.ipv4.stop(), health.ipv6.stop()]);
    }
  });

  test('closes a port that a full sync did not see any more', async () => {
    const port = await freePort();
    const health = new ServiceHealth({
      family: 'ipv4',
      readNodeAddresses: (record) => nodeAddressesOf([], record),
      isHealthy: () => true,
      logger: silentLogger,
    });
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port };
    const isOpen = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).then(
        () => true,
        () => false,
      );
    try {
      syncWith(health, stateOf('ipv4', [{ name: 'web', clusterIP, spec }]));
      await until('it is open', isOpen);
      syncWith(health, stateOf('ipv4', []), [], { full: true });
      await until('it is closed', async () => !(await isOpen()));
    } finally {
      await health.stop();
    }
  });
});
