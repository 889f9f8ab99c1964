import { describe, expect, test } from '@jest/globals';
import { familiesOf, nodeAddressesOf } from '../../src/model/nodeAddresses.ts';

const node = { addresses: ['192.0.2.1', '2001:db8::1', '198.51.100.9'] };
const devices = [
  { device: 'lo', address: '127.0.0.1' },
  { device: 'lo', address: '::1' },
  { device: 'eth0', address: '192.0.2.1' },
  { device: 'eth0', address: '2001:DB8:0::1' },
  { device: 'eth0', address: 'fe80::1' },
  { device: 'eth1', address: 'fe90::1' },
  { device: 'eth1', address: '169.254.0.9' },
  { device: 'eth1', address: '192.0.2.1' },
  { device: 'kube-ipvs0', address: '10.96.0.1' },
];

describe('nodeAddressesOf', () => {
  const addresses = nodeAddressesOf(devices, node);

  test("all are those of the node's devices in the family, each once, without link-local ones of IPv6", () => {
    expect(addresses.all('ipv4')).toEqual(['127.0.0.1', '192.0.2.1', '169.254.0.9']);
    expect(addresses.all('ipv6')).toEqual(['::1', '2001:db8::1']);
  });

  test('all are those in Node.status where the kernel shows none of the family', () => {
    const only6 = nodeAddressesOf([{ device: 'eth0', address: '2001:db8::7' }], node);
    expect([only6.all('ipv4'), only6.all('ipv6')]).toEqual([['192.0.2.1', '198.51.100.9'], ['2001:db8::7']]);
  });

  test.each([
    { name: 'on a device', address: '192.0.2.1', has: true },
    { name: 'link-local, on a device', address: 'fe80::1', has: true },
    { name: 'in Node.status alone', address: '198.51.100.9', has: true },
    { name: "a Service's, on kube-ipvs0", address: '10.96.0.1', has: false },
    { name: 'of another machine', address: '192.0.2.2', has: false },
  ])('has an address: $name -> $has', ({ address, has }) => {
    expect(addresses.has(address)).toBe(has);
  });

  test('primary is the first of the family in Node.status', () => {
    expect([addresses.primary('ipv4'), addresses.primary('ipv6')]).toEqual(['192.0.2.1', '2001:db8::1']);
    expect(nodeAddressesOf(devices, { addresses: [] }).primary('ipv4')).toBeUndefined();
  });
});

describe('familiesOf', () => {
  test.each([
    { name: 'nothing yet', addresses: [], podCIDRs: [], families: ['ipv4'] },
    { name: 'an IPv6 address', addresses: ['2001:db8::1'], podCIDRs: [], families: ['ipv6'] },
    {
      name: 'an IPv6 address and an IPv4 Pod range',
      addresses: ['2001:db8::1'],
      podCIDRs: ['10.0.0.0/24'],
      families: ['ipv4', 'ipv6'],
    },
  ])('$name', ({ addresses, podCIDRs, families }) => {
    expect(familiesOf({ addresses, podCIDRs })).toEqual(families);
  });
});
