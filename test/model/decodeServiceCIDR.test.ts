import { describe, expect, test } from '@jest/globals';
import { foreignClusterIPs } from '../../src/model/decodeService.ts';
import { decodeServiceCIDR } from '../../src/model/decodeServiceCIDR.ts';

const object = (spec: unknown, rest: object = {}): object => ({ metadata: { name: 'extra' }, spec, ...rest });

describe('decodeServiceCIDR', () => {
  test('gives the networks in canonical form', () => {
    expect(decodeServiceCIDR(object({ cidrs: ['10.096.0.0/16', 'FD00:96::1/112'] }))).toEqual({
      record: { name: 'extra', networks: ['10.96.0.0/16', 'fd00:96::/112'] },
      problems: [],
    });
  });

  test('also of one that is being deleted: its addresses are in use until it is gone', () => {
    const status = { conditions: [{ type: 'Ready', status: 'False', reason: 'Terminating' }] };
    expect(decodeServiceCIDR(object({ cidrs: ['10.97.0.0/24'] }, { status })).record?.networks).toEqual([
      '10.97.0.0/24',
    ]);
  });

  test.each([
    { name: 'no list', spec: {}, fields: ['spec.cidrs'] },
    { name: 'something else', spec: { cidrs: '10.96.0.0/16' }, fields: ['spec.cidrs', 'spec.cidrs'] },
    { name: 'no network', spec: { cidrs: ['10.96.0.0/16', '10.96.0.0'] }, fields: ['spec.cidrs[1]'] },
    { name: 'all addresses', spec: { cidrs: ['0.0.0.0/0'] }, fields: ['spec.cidrs[0]'] },
    { name: 'a rule', spec: { cidrs: ['10.96.0.0/16 -j ACCEPT'] }, fields: ['spec.cidrs[0]'] },
    { name: 'three networks', spec: { cidrs: ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24'] }, fields: ['spec.cidrs'] },
  ])('has none with $name', ({ spec, fields }) => {
    const { record, problems } = decodeServiceCIDR(object(spec));
    expect(record).toBeUndefined();
    expect(problems.map(({ field }) => field)).toEqual(fields);
  });
});

const service = (labels: object, clusterIPs: unknown): object => ({ metadata: { labels }, spec: { clusterIPs } });

describe('foreignClusterIPs', () => {
  const label = { 'service.kubernetes.io/service-proxy-name': 'another' };

  test('are the addresses of a Service that another proxy serves, without what is none', () => {
    expect(foreignClusterIPs(service(label, ['10.96.0.07', 'None', 'fd00:96:0::7']))).toEqual([
      '10.96.0.7',
      'fd00:96::7',
    ]);
  });

  test('and of no other', () => {
    expect(foreignClusterIPs(service({}, ['10.96.0.7']))).toEqual([]);
    expect(foreignClusterIPs(undefined)).toEqual([]);
  });
});
