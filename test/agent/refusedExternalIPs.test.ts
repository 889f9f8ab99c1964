import { describe, expect, test } from '@jest/globals';
import { RefusedExternalIPs } from '../../src/agent/status/refusedExternalIPs.ts';
import type { ServiceRecord } from '../../src/model/service.ts';

const withIPs = (...externalIPs: string[]): ServiceRecord => ({ externalIPs }) as unknown as ServiceRecord;
const allowing = (...allowedCIDRs: string[]) => ({ externalIPs: { allowedCIDRs } });

describe('RefusedExternalIPs', () => {
  test('names some of the Services and counts the others; makes no condition where all are allowed or gone', () => {
    const refused = new RefusedExternalIPs();
    refused.set('shop/web', withIPs('198.51.100.7'), allowing('198.51.100.0/24'));
    refused.set('shop/none', withIPs(), {});
    expect(refused.conditions()).toEqual([]);
    refused.set('shop/web', withIPs('198.51.100.7', '203.0.113.7'), allowing('198.51.100.0/24'));
    for (const name of ['d', 'c', 'b', 'a']) refused.set(`bank/${name}`, withIPs('203.0.113.7'), {});
    const condition = { type: 'ExternalIPs', status: 'False', reason: 'ExternalIPsNotAllowed' };
    expect(refused.conditions()).toEqual([
      {
        ...condition,
        message:
          'External IPs of bank/a, bank/b and 3 more are not served: externalIPs.allowedCIDRs does not hold them.',
      },
    ]);
    for (const key of [...refused.keys()].filter((each) => each !== 'shop/web')) refused.set(key, undefined, {});
    expect(refused.conditions()).toMatchObject([{ message: expect.stringContaining('of shop/web are not') }]);
  });

  test('fits the longest names into a condition', () => {
    const refused = new RefusedExternalIPs();
    for (const last of ['a', 'b', 'c'])
      refused.set(`${'n'.repeat(63)}/${'s'.repeat(62)}${last}`, withIPs('203.0.113.7'), {});
    expect(Buffer.byteLength(refused.conditions()[0]?.message ?? '')).toBeLessThanOrEqual(256);
  });
});
