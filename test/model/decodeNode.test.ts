import { describe, expect, test } from '@jest/globals';
import { decodeNode } from '../../src/model/decodeNode.ts';

describe('decodeNode', () => {
  test('gives the addresses, internal ones first, the zone and the pod ranges', () => {
    const object = {
      metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } },
      spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] },
      status: {
        addresses: [
          { type: 'ExternalIP', address: '203.0.113.1' },
          { type: 'Hostname', address: 'n1' },
          { type: 'InternalIP', address: '192.0.2.01' },
          { type: 'InternalIP', address: 'nonsense' },
        ],
      },
    };
    const { record, problems } = decodeNode(object);
    expect(record).toMatchObject({
      name: 'n1',
      addresses: ['192.0.2.1', '203.0.113.1'],
      podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
      zone: 'z1',
    });
    expect(problems.map(({ field }) => field)).toEqual(['status.addresses[3].address']);
  });
});
