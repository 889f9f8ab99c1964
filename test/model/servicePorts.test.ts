import { describe, expect, test } from '@jest/globals';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import { affinityTimeout, familiesWithoutRange } from '../../src/model/servicePorts.ts';
import { clusterIP, stateOf } from '../support/serviceManifests.ts';

describe('affinityTimeout', () => {
  const rows: readonly {
    policy: NodeConfig['sessionAffinity']['timeoutPolicy'];
    asked: number | undefined;
    configured: number | undefined;
    seconds: number | undefined;
  }[] = [
    { policy: 'Service', asked: 10_800, configured: 60, seconds: 10_800 },
    { policy: 'ReplaceDefault', asked: 10_800, configured: 60, seconds: 60 },
    { policy: 'ReplaceDefault', asked: 10_799, configured: 60, seconds: 10_799 },
    { policy: 'Cap', asked: 100, configured: 60, seconds: 60 },
    { policy: 'Cap', asked: 30, configured: 60, seconds: 30 },
    { policy: 'Override', asked: 30, configured: 60, seconds: 60 },
    { policy: 'Override', asked: undefined, configured: 60, seconds: undefined },
    { policy: 'Override', asked: 30, configured: undefined, seconds: 30 },
  ];
  test.each(rows)(
    '$policy: asked $asked, configured $configured -> $seconds',
    ({ policy, asked, configured, seconds }) => {
      expect(
        affinityTimeout(asked, {
          timeoutPolicy: policy,
          ...(configured !== undefined && { timeoutSeconds: configured }),
        }),
      ).toBe(seconds);
    },
  );
});

describe('servicePorts', () => {
  test('every family sees its own addresses', () => {
    const manifest = {
      name: 'web',
      clusterIP: clusterIP(1),
      spec: {
        externalIPs: ['198.51.100.1', '2001:db8::1', '198.51.100.1'],
        loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00::/8'],
      },
    };
    const config = { externalIPs: { allowedCIDRs: ['198.51.100.0/24', '2001:db8::/32'] } };
    const port = (family: 'ipv4' | 'ipv6'): unknown => stateOf(family, [manifest], config).ports('default/web')[0];
    expect(port('ipv4')).toMatchObject({
      clusterIP: '10.96.0.1',
      externalIPs: ['198.51.100.1'],
      loadBalancerSourceRanges: ['10.0.0.0/8'],
    });
    expect(port('ipv6')).toMatchObject({
      clusterIP: 'fd00:10:96::1',
      externalIPs: ['2001:db8::1'],
      loadBalancerSourceRanges: ['fd00::/8'],
    });
  });

  const ranges: readonly { name: string; ranges: string[]; restricts: boolean; without: string[] }[] = [
    { name: 'no range', ranges: [], restricts: false, without: [] },
    { name: 'a range of each family', ranges: ['192.0.2.0/24', '2001:db8::/32'], restricts: true, without: [] },
    { name: 'ranges of IPv4', ranges: ['192.0.2.0/24', '10.0.0.0/8'], restricts: true, without: ['ipv6'] },
    { name: 'ranges of IPv6', ranges: ['2001:db8::/32'], restricts: true, without: ['ipv4'] },
    { name: 'everybody of IPv4', ranges: ['0.0.0.0/0'], restricts: true, without: ['ipv6'] },
  ];
  test.each(ranges)('$name: both families are restricted alike', ({ ranges: list, restricts, without }) => {
    const manifest = { name: 'web', clusterIP: clusterIP(1), spec: { loadBalancerSourceRanges: list } };
    for (const family of ipFamilies)
      expect(stateOf(family, [manifest]).ports('default/web')[0]?.restrictsSources).toBe(restricts);
    const loadBalancerIPs = ['198.51.100.1', '2001:db8:1::1'];
    expect(familiesWithoutRange({ loadBalancerIPs, loadBalancerSourceRanges: list })).toEqual(without);
    expect(familiesWithoutRange({ loadBalancerIPs: [], loadBalancerSourceRanges: list })).toEqual([]);
  });

  test('external IPs are not served unless the configuration allows them', () => {
    const manifest = { name: 'web', clusterIP: clusterIP(1), spec: { externalIPs: ['198.51.100.1', '203.0.113.1'] } };
    const externalIPs = (config: Partial<NodeConfig>): unknown =>
      stateOf('ipv4', [manifest], config).ports('default/web')[0]?.externalIPs;
    expect(externalIPs({})).toEqual([]);
    expect(externalIPs({ externalIPs: {} })).toEqual([]);
    expect(externalIPs({ externalIPs: { allowedCIDRs: ['198.51.100.0/24', '::/0'] } })).toEqual(['198.51.100.1']);
  });
});

function areRefused(externalIPs: readonly string[], allowedCIDRs: string[]): unknown {
  return stateOf('ipv4', [{ name: 'web', clusterIP: clusterIP(1), spec: { externalIPs } }], {
    externalIPs: { allowedCIDRs },
  }).ports('default/web')[0]?.hasRefusedExternalIPs;
}

function readyLocalEndpoints(spec: Readonly<Record<string, unknown>>): unknown {
  return stateOf('ipv4', [{ name: 'web', clusterIP: clusterIP(1), spec, pods: ['podA', 'remotePod'] }])
    .ports('default/web')
    .map((port) => port.readyLocalEndpoints);
}

describe('servicePorts', () => {
  test.each<{ name: string; externalIPs: string[]; allowed: string[]; expected: boolean }>([
    { name: 'none', externalIPs: [], allowed: [], expected: false },
    { name: 'all allowed', externalIPs: ['198.51.100.7'], allowed: ['198.51.100.0/24'], expected: false },
    { name: 'one not', externalIPs: ['198.51.100.7', '203.0.113.7'], allowed: ['198.51.100.0/24'], expected: true },
    { name: 'one of the other family not', externalIPs: ['2001:db8::1'], allowed: ['0.0.0.0/0'], expected: true },
  ])('say whether external IPs are refused: $name', ({ externalIPs, allowed, expected }) => {
    expect(areRefused(externalIPs, allowed)).toBe(expected);
  });

  test('have the number of ready endpoints on this node where there is a health-check node port, else 0', () => {
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 };
    expect(readyLocalEndpoints(spec)).toEqual([1, 1]);
    expect(readyLocalEndpoints({})).toEqual([0, 0]);
  });
});

describe('serviceStateOf', () => {
  test('a Service that is gone has no ports, and keys are sorted', () => {
    const state = stateOf('ipv4', [
      { name: 'b', clusterIP: clusterIP(1) },
      { name: 'a', clusterIP: clusterIP(2) },
    ]);
    expect([...state.keys()]).toEqual(['default/a', 'default/b']);
    expect(state.ports('default/c')).toEqual([]);
  });
});
