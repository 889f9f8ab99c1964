import { describe, expect, test } from '@jest/globals';
import { RefusedExternalIPs } from '../../src/agent/status/refusedExternalIPs.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { ServiceState } from '../../src/model/serviceState.ts';
import { clusterIP, type ServiceManifest, stateOf } from '../support/serviceManifests.ts';
import { syncWith } from './syncWith.ts';

const withIPs = (namespace: string, name: string, ...externalIPs: string[]): ServiceManifest => ({
  namespace,
  name,
  clusterIP: clusterIP(1),
  spec: { externalIPs },
});
const allowing = (allowedCIDR: string, ...manifests: readonly ServiceManifest[]): ServiceState =>
  stateOf('ipv4', manifests, { externalIPs: { allowedCIDRs: [allowedCIDR] } });

describe('RefusedExternalIPs', () => {
  test('names some of the Services and counts the others; makes no condition where all are allowed or gone', () => {
    const refused = new RefusedExternalIPs();
    syncWith(refused, allowing('198.51.100.0/24', withIPs('shop', 'web', '198.51.100.7'), withIPs('shop', 'none')));
    expect(refused.conditions()).toEqual([]);
    const others = ['d', 'c', 'b', 'a'].map((name) => withIPs('bank', name, '203.0.113.7'));
    const web = withIPs('shop', 'web', '198.51.100.7', '203.0.113.7');
    syncWith(refused, allowing('198.51.100.0/24', web, ...others));
    const condition = { type: 'ExternalIPs', status: 'False', reason: 'ExternalIPsNotAllowed' };
    expect(refused.conditions()).toEqual([
      {
        ...condition,
        message:
          'External IPs of bank/a, bank/b and 3 more are not served: externalIPs.allowedCIDRs does not hold them.',
      },
    ]);
    const state = allowing('198.51.100.0/24', web);
    syncWith(refused, state, ['bank/a', 'bank/b', 'bank/c', 'bank/d']);
    expect(refused.conditions()).toMatchObject([{ message: expect.stringContaining('of shop/web are not') }]);
  });

  test('says nothing of rules that are not in the kernel', () => {
    const refused = new RefusedExternalIPs();
    const state = allowing('198.51.100.0/24', withIPs('shop', 'web', '203.0.113.7'));
    syncWith(refused, state, undefined, { hasFailed: true });
    syncWith(refused, state, []);
    expect(refused.conditions()).toEqual([]);
  });

  test.each(['ipv4', 'ipv6'] as const)('names a Service of %s alone, whatever the other family syncs', (family) => {
    const refused = new RefusedExternalIPs();
    const other: IPFamily = family === 'ipv4' ? 'ipv6' : 'ipv4';
    const manifest = withIPs('shop', 'web', '203.0.113.7', '2001:db8::7');
    const stateIn = (each: IPFamily): ServiceState => ({
      ...stateOf(each, [manifest]),
      ...(each === other && { ports: () => [] }),
    });
    syncWith(refused, stateIn(family));
    syncWith(refused, stateIn(other), undefined, { full: true });
    expect(refused.conditions()).toMatchObject([{ message: expect.stringContaining('of shop/web are not') }]);
  });

  test('fits the longest names into a condition', () => {
    const refused = new RefusedExternalIPs();
    const names = ['a', 'b', 'c'].map((last) => withIPs('n'.repeat(63), `${'s'.repeat(62)}${last}`, '203.0.113.7'));
    syncWith(refused, stateOf('ipv4', names));
    expect(refused.conditions()[0]?.message).toContain('1 more');
    expect(Buffer.byteLength(refused.conditions()[0]?.message ?? '')).toBeLessThanOrEqual(256);
  });
});
