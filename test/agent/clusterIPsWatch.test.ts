import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { watchClusterIPs, type ClusterIPsWatch } from '../../src/agent/watch/clusterIPsWatch.ts';
import { ApiError } from '../../src/kube/apiError.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import type { ClusterIPSources } from '../../src/model/clusterIPRanges.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { until } from '../support/until.ts';
import { type KubeObject, ObjectServer } from '../uml/objectServer.ts';

const ranges = '/apis/networking.k8s.io/v1/servicecidrs';
const services = '/api/v1/services';
const port = 18_933;

/** As an API server gives it, which is more than the server's type says. */
type Given = KubeObject & { readonly spec: object };

const serviceCIDR = (name: string, ...cidrs: readonly string[]): Given => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name },
  spec: { cidrs },
});

function foreignService(name = 'other', clusterIP = '10.96.0.9'): Given {
  const labels = { 'service.kubernetes.io/service-proxy-name': 'x' };
  const metadata = { name, namespace: 'work', labels };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP, clusterIPs: [clusterIP] } };
}

describe('watchClusterIPs', () => {
  let server: ObjectServer;
  let client: KubeClient;
  let watch: ClusterIPsWatch;
  let stored: ClusterIPSources[];
  let warnings: string[];
  let failures: string[];
  const faults = new Map<string, number>();
  const requested: string[] = [];

  beforeEach(async () => {
    server = new ObjectServer();
    await server.start('127.0.0.1', port);
    client = createKubeClient({ server: `http://127.0.0.1:${port}`, tls: {}, token: () => undefined });
    [stored, warnings, failures] = [[], [], []];
    faults.clear();
    requested.length = 0;
    watch = watchClusterIPs({
      client: { ...client, list: listing, watch: (...args) => client.watch(...args) },
      store: { setClusterIPs: (clusterIPs) => stored.push(clusterIPs) },
      logger: { debug: () => {}, warn: (message: string) => warnings.push(message) } as unknown as Logger,
      onError: (resource) => failures.push(resource),
      timing: { retryMinMs: 10, retryMaxMs: 20, reconnectMaxMs: 20 },
    });
  });
  afterEach(async () => {
    await watch.stop();
    await client.close();
    server.stop();
  });

  const listing: KubeClient['list'] = (path, query, options) => {
    requested.push(path);
    const status = faults.get(path);
    return status === undefined
      ? client.list(path, query, options)
      : Promise.reject(new ApiError({ status, reason: 'Broken', message: 'as told' }));
  };
  const known = (): ClusterIPSources | undefined => stored.at(-1);

  test('says the networks of all ServiceCIDRs, and follows them', async () => {
    server.replace([serviceCIDR('kubernetes', '10.96.0.0/16', 'fd00:96::/112')]);
    watch.start();
    await watch.settled;
    expect(known()).toEqual({ networks: ['10.96.0.0/16', 'fd00:96::/112'], foreign: [] });

    server.put(serviceCIDR('more', '10.97.0.0/24'));
    await until('the new one is known', () => known()?.networks.includes('10.97.0.0/24') === true);
    server.delete(serviceCIDR('kubernetes'));
    await until('the first one is gone', () => known()?.networks.length === 1);
    expect(known()).toEqual({ networks: ['10.97.0.0/24'], foreign: [] });
  });

  test('says whose addresses another proxy serves, and follows them', async () => {
    server.replace([serviceCIDR('kubernetes', '10.96.0.0/16'), foreignService()]);
    watch.start();
    await watch.settled;
    expect(known()?.foreign).toEqual(['10.96.0.9']);
    const another = foreignService('another', '10.96.0.10');
    server.put(another);
    await until('it follows', () => known()?.foreign.length === 2);
    server.delete(foreignService());
    await until('the first one is gone', () => known()?.foreign.length === 1);
    expect(known()?.foreign).toEqual(['10.96.0.10']);
  });

  test('says nothing before both lists are complete: an address of another proxy would be dropped', async () => {
    server.replace([serviceCIDR('kubernetes', '10.96.0.0/16'), foreignService()]);
    faults.set(services, 500);
    watch.start();
    await watch.settled;
    await until('it has tried again', () => failures.length > 2);
    expect(stored).toEqual([]);
    faults.delete(services);
    await until('it is known', () => stored.length > 0);
    expect(stored[0]).toEqual({ networks: ['10.96.0.0/16'], foreign: ['10.96.0.9'] });
  });

  test.each([404, 403])(
    'settles without ranges where ServiceCIDRs are answered by %i, and asks for nothing else',
    async (status) => {
      faults.set(ranges, status);
      watch.start();
      await watch.settled;
      await until('it has tried again', () => requested.length > 2);
      expect({ stored, failures, warnings }).toEqual({ stored: [], failures: [], warnings: [] });
      expect(new Set(requested)).toEqual(new Set([ranges]));
    },
  );

  test('keeps what it knows while the API server is away', async () => {
    server.replace([serviceCIDR('kubernetes', '10.96.0.0/16')]);
    watch.start();
    await watch.settled;
    for (const path of [ranges, services]) faults.set(path, 500);
    server.stop();
    await until('it has noticed', () => new Set(failures).size === 2);
    expect(stored).toEqual([{ networks: ['10.96.0.0/16'], foreign: [] }]);
  });

  test('lets a ServiceCIDR be that is not valid, says so, and takes the others', async () => {
    server.replace([serviceCIDR('all', '0.0.0.0/0'), serviceCIDR('kubernetes', '10.96.0.0/16')]);
    watch.start();
    await watch.settled;
    expect(known()?.networks).toEqual(['10.96.0.0/16']);
    expect(warnings).toEqual(['a ServiceCIDR is not valid and is let be']);
  });
});
