import { describe, expect, test } from '@jest/globals';
import { canonicalAddress, canonicalCIDR, cidrContains } from '../../src/model/ipFamily.ts';

describe('canonicalAddress', () => {
  const rows = [
    { text: '172.30.0.041', canonical: '172.30.0.41' },
    { text: '010.0.0.010', canonical: '10.0.0.10' },
    { text: '10.0.0.256', canonical: undefined },
    { text: '10.0.1', canonical: undefined },
    { text: '0x0a.0.0.1', canonical: undefined },
    { text: '10.0.0.1 ', canonical: undefined },
    { text: '10.0.0.1\n', canonical: undefined },
    { text: 'localhost', canonical: undefined },
    { text: '::FFFF:10.0.0.1', canonical: '10.0.0.1' },
    { text: '2001:DB8:0:0::1', canonical: '2001:db8::1' },
    { text: '2001:db8:0:1:1:1:1:1', canonical: '2001:db8:0:1:1:1:1:1' },
    { text: 'fe80::1%eth0', canonical: undefined },
    { text: '::1\n', canonical: undefined },
    { text: '', canonical: undefined },
  ];
  test.each(rows)('$text -> $canonical', ({ text, canonical }) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });
});

describe('canonicalCIDR', () => {
  const rows = [
    { text: ' 10.1.2.3/8 ', canonical: '10.0.0.0/8' },
    { text: '10.0.0.0/08', canonical: '10.0.0.0/8' },
    { text: '10.0.0.0/33', canonical: undefined },
    { text: '10.0.0.0', canonical: undefined },
    { text: '10.0.0.0/8/8', canonical: undefined },
    { text: 'FD00::1/64', canonical: 'fd00::/64' },
    { text: '::/0', canonical: '::/0' },
    { text: '0.0.0.0/0', canonical: '0.0.0.0/0' },
    { text: 'fd00::/129', canonical: undefined },
  ];
  test.each(rows)('$text -> $canonical', ({ text, canonical }) => {
    expect(canonicalCIDR(text)).toBe(canonical);
  });
});

describe('cidrContains', () => {
  test('a network contains addresses of its own family alone', () => {
    expect(cidrContains('10.0.0.0/8', '10.1.1.1')).toBe(true);
    expect(cidrContains('10.0.0.0/8', '11.1.1.1')).toBe(false);
    expect(cidrContains('::/0', '10.1.1.1')).toBe(false);
  });
});
