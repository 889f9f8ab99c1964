/** The addresses of Services and endpoints, as many as there are. */
import { describe, expect, test } from '@jest/globals';
import { clusterIP, endpointAddress, maxEndpoints, maxServices } from './objects.ts';

test.each([
  { index: 0, address: '10.100.0.0' },
  { index: 256, address: '10.100.1.0' },
  { index: maxServices - 1, address: '10.100.255.255' },
])('Service $index has $address', ({ index, address }) => {
  expect(clusterIP(index)).toBe(address);
});

describe('endpoints', () => {
  test.each([
    { index: 0, endpoints: 1, address: '10.240.0.0' },
    { index: 65_536, endpoints: 1, address: '10.241.0.0' },
    { index: 43_999, endpoints: 3, address: '10.242.3.157' },
    { index: maxEndpoints - 1, endpoints: 1, address: '10.243.255.255' },
  ])('the first of $endpoints of Service $index has $address', ({ index, endpoints, address }) => {
    expect(endpointAddress(index, 0, endpoints)).toBe(address);
  });

  test('no two have one address', () => {
    const addresses = Array.from({ length: 44_000 }, (_, index) =>
      [0, 1, 2].map((each) => endpointAddress(index, each, 3)),
    );
    expect(new Set(addresses.flat()).size).toBe(3 * 44_000);
  });
});
