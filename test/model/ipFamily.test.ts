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
    { text: '::1.2.3.4', canonical: '::102:304' },
    { text: '64:ff9b::192.0.2.033', canonical: '64:ff9b::c000:221' },
    { text: '::00001', canonical: '::1' },
    { text: '1.2.3.4::', canonical: undefined },
    { text: '1::2::3', canonical: undefined },
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
    { text: '::ffff:1.2.3.4/120', canonical: '1.2.3.0/24' },
    { text: '::ffff:1.2.3.4/0', canonical: '::/0' },
    { text: '10.0.0.0/0008', canonical: '10.0.0.0/8' },
    { text: '10.0.0.0/', canonical: undefined },
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
