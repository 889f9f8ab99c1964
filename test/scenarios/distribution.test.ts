/**
 * Whether endpoints get equal shares of many connections: a Service of each size, and Pearson's chi-squared test.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createBackend } from '../../src/backend/registry.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { EndpointSliceRecord } from '../../src/model/endpointSlice.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { ServiceRecord } from '../../src/model/service.ts';
import { serviceStateOf } from '../../src/model/serviceState.ts';
import type { Network } from '../support/network.ts';
import { createNetwork, iptablesObstacle, manyPort, nodeName } from '../support/network.ts';
import { clusterIP, defaultConfig, node, serviceObject } from '../support/serviceManifests.ts';

/**
 * Chi-squared that equal shares exceed once in a million times, by the number of endpoints, which is the degrees of
 * freedom plus one.
 */
const limits: Readonly<Record<number, number>> = { 2: 23.93, 3: 27.64, 7: 38.26, 100: 180.8 };
const sizes = Object.keys(limits).map(Number);
const connections = 3000;

const obstacles = { Nft: await iptablesObstacle('nft'), Legacy: await iptablesObstacle('legacy') };
const kernels = (['Nft', 'Legacy'] as const).flatMap((variant) => ipFamilies.map((family) => ({ variant, family })));

describe('IptablesBackend', () => {
  describe.each(kernels)('equal shares, iptables $variant, $family', ({ variant, family }) => {
    const obstacle = obstacles[variant];
    if (obstacle !== undefined) {
      test.skip(`connections in network namespaces: ${obstacle}`, () => {});
      return;
    }
    let network: Network;
    beforeAll(async () => {
      network = await createNetwork();
      await network.addAddresses(addressesFor(family, Math.max(...sizes)));
      const state = serviceStateOf({
        services: new Map(sizes.map(serviceOf)),
        slices: new Map(sizes.map((size) => slicesOf(family, size))),
        node,
        config: { ...defaultConfig, iptables: { backend: variant } },
        family,
      });
      await createBackend('iptables', family, { run: network.runOnNode }).sync({
        state,
        changed: 'all',
        signal: new AbortController().signal,
      });
    });
    afterAll(() => network.close());

    test.each(sizes)(
      `%d endpoints, ${connections} connections`,
      async (size) => {
        const counts = await network.count(
          'podB',
          { protocol: 'TCP', address: clusterIP(indexOf(size))[family], port: 80, timeoutMs: 5000 },
          connections,
        );
        expect(Object.keys(counts).sort()).toEqual([...addressesFor(family, size)].sort());
        expect(chiSquared(Object.values(counts))).toBeLessThan(limits[size] ?? 0);
      },
      60_000,
    );
  });

  test('shares that are far from equal are found out', () => {
    const afterAForgottenRule = [750, 750, 1500];
    expect(chiSquared(afterAForgottenRule)).toBeGreaterThan(limits[3] ?? Infinity);
    expect(chiSquared([1010, 980, 1010])).toBeLessThan(limits[3] ?? 0);
  });
});

function chiSquared(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

function addressesFor(family: IPFamily, size: number): readonly string[] {
  return Array.from({ length: size }, (_, index) =>
    family === 'ipv4' ? `10.244.3.${index + 1}` : `fd00:10:244:3::${(index + 1).toString(16)}`,
  );
}

function indexOf(size: number): number {
  return 100 + size;
}

function serviceOf(size: number): [string, ServiceRecord] {
  const { record } = decodeService(
    serviceObject({ name: `of-${size}`, clusterIP: clusterIP(indexOf(size)), ports: [{ name: 'tcp', port: 80 }] }),
  );
  return [`default/of-${size}`, record as ServiceRecord];
}

function slicesOf(family: IPFamily, size: number): [string, readonly EndpointSliceRecord[]] {
  const { record } = decodeEndpointSlice({
    metadata: { namespace: 'default', name: 'all', labels: { 'kubernetes.io/service-name': `of-${size}` } },
    addressType: family === 'ipv4' ? 'IPv4' : 'IPv6',
    ports: [{ name: 'tcp', port: manyPort, protocol: 'TCP' }],
    endpoints: addressesFor(family, size).map((address) => ({ addresses: [address], nodeName })),
  });
  return [`default/of-${size}`, [record as EndpointSliceRecord]];
}
