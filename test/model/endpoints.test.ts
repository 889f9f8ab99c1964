import { describe, expect, test } from '@jest/globals';
import type { Candidate } from '../../src/model/endpoints.ts';
import { candidatesOf, categorizeEndpoints, countReadyLocalEndpoints } from '../../src/model/endpoints.ts';
import type { EndpointSliceRecord } from '../../src/model/endpointSlice.ts';

const here = { name: 'n1', zone: 'z1' };

interface Shape extends Partial<Omit<Candidate, 'address'>> {
  readonly last: number;
}

function candidate({ last, ...rest }: Shape): Candidate {
  return {
    address: `10.0.0.${last}`,
    port: 80,
    ready: true,
    serving: true,
    terminating: false,
    nodeName: 'n2',
    nodeHints: [],
    zoneHints: [],
    ...rest,
  };
}

function lastOctet({ address }: { readonly address: string }): number {
  return Number(address.split('.')[3]);
}

const leaving = { ready: false, serving: true, terminating: true };
const gone = { ready: false, serving: false, terminating: true };
const onNode = { nodeName: 'n1' };

const rows: readonly {
  name: string;
  endpoints: readonly Shape[];
  cluster: readonly number[];
  local: readonly number[];
}[] = [
  { name: 'none', endpoints: [], cluster: [], local: [] },
  {
    name: 'ready ones, of which some are local',
    endpoints: [{ last: 1 }, { last: 2, ...onNode }],
    cluster: [1, 2],
    local: [2],
  },
  {
    name: 'one that is not ready',
    endpoints: [{ last: 1 }, { last: 2, ready: false, ...onNode }],
    cluster: [1],
    local: [],
  },
  {
    name: 'only leaving ones: those that still serve',
    endpoints: [
      { last: 1, ...leaving },
      { last: 2, ...gone },
      { last: 3, ready: false },
    ],
    cluster: [1],
    local: [],
  },
  {
    name: 'leaving ones beside ready ones are not used',
    endpoints: [{ last: 1, ...leaving }, { last: 2 }],
    cluster: [2],
    local: [],
  },
  {
    name: 'locally only a leaving one, elsewhere a ready one',
    endpoints: [{ last: 1, ...leaving, ...onNode }, { last: 2 }],
    cluster: [2],
    local: [1],
  },
  {
    name: 'zone hints keep to the zone',
    endpoints: [
      { last: 1, zoneHints: ['z1'] },
      { last: 2, zoneHints: ['z2'] },
      { last: 3, zoneHints: ['z1', 'z2'] },
    ],
    cluster: [1, 3],
    local: [],
  },
  {
    name: 'one without a hint: hints are not followed',
    endpoints: [{ last: 1, zoneHints: ['z1'] }, { last: 2 }],
    cluster: [1, 2],
    local: [],
  },
  {
    name: 'one without a hint that is not ready does not count',
    endpoints: [
      { last: 1, zoneHints: ['z1'] },
      { last: 2, ready: false },
      { last: 3, zoneHints: ['z2'] },
    ],
    cluster: [1],
    local: [],
  },
  {
    name: 'no hint for this zone: hints are not followed',
    endpoints: [{ last: 1, zoneHints: ['z2'] }],
    cluster: [1],
    local: [],
  },
  {
    name: 'node hints come before zone hints',
    endpoints: [
      { last: 1, nodeHints: ['n1'], zoneHints: ['z2'] },
      { last: 2, nodeHints: ['n2'], zoneHints: ['z1'] },
    ],
    cluster: [1],
    local: [],
  },
  {
    name: 'node hints that do not name this node give way to zone hints',
    endpoints: [
      { last: 1, nodeHints: ['n2'], zoneHints: ['z1'] },
      { last: 2, nodeHints: ['n3'], zoneHints: ['z3'] },
    ],
    cluster: [1],
    local: [],
  },
  {
    name: 'hints do not hold for leaving endpoints',
    endpoints: [
      { last: 1, ...leaving, zoneHints: ['z2'] },
      { last: 2, ...leaving, zoneHints: ['z1'] },
    ],
    cluster: [1, 2],
    local: [],
  },
  {
    name: 'hints do not touch the local set',
    endpoints: [
      { last: 1, ...onNode, zoneHints: ['z2'] },
      { last: 2, zoneHints: ['z1'] },
    ],
    cluster: [2],
    local: [1],
  },
];

describe('categorizeEndpoints', () => {
  test.each(rows)('$name', ({ endpoints, cluster, local }) => {
    const sets = categorizeEndpoints(endpoints.map(candidate), here);
    expect({ cluster: sets.cluster.map(lastOctet), local: sets.local.map(lastOctet) }).toEqual({ cluster, local });
  });

  test('a node without a zone follows no zone hint', () => {
    expect(
      categorizeEndpoints([candidate({ last: 1, zoneHints: [''] }), candidate({ last: 2, zoneHints: ['z2'] })], {
        name: 'n1',
        zone: '',
      }).cluster,
    ).toHaveLength(2);
  });
});

describe('categorizeEndpoints', () => {
  const serving: readonly { name: string; endpoints: readonly Shape[]; expected: readonly number[]; same: boolean }[] =
    [
      { name: 'none', endpoints: [], expected: [], same: true },
      {
        name: 'those of policy Cluster',
        endpoints: [{ last: 1 }, { last: 2, ...onNode }],
        expected: [1, 2],
        same: true,
      },
      {
        name: 'a leaving one beside a ready one, but none that is gone',
        endpoints: [{ last: 1 }, { last: 2, ...leaving }, { last: 3, ...gone }],
        expected: [1, 2],
        same: false,
      },
      {
        name: "another zone's",
        endpoints: [
          { last: 1, zoneHints: ['z1'] },
          { last: 2, zoneHints: ['z2'] },
        ],
        expected: [1, 2],
        same: false,
      },
      {
        name: 'one that serves and is not ready although it does not leave',
        endpoints: [{ last: 1, ready: false }],
        expected: [1],
        same: false,
      },
      {
        name: 'one that is ready although it is said not to serve',
        endpoints: [{ last: 1, serving: false }],
        expected: [1],
        same: true,
      },
    ];
  test.each(serving)('those that answer: $name', ({ endpoints, expected, same }) => {
    const sets = categorizeEndpoints(endpoints.map(candidate), here);
    expect(sets.serving.map(lastOctet)).toEqual(expected);
    expect(sets.serving === sets.cluster).toBe(same);
  });
});

describe('countReadyLocalEndpoints', () => {
  const here1 = { last: 1, ...onNode };
  const rowsOf: readonly { name: string; slices: readonly EndpointSliceRecord[]; ipv4: number; ipv6: number }[] = [
    { name: 'one on this node', slices: [slice(80, [here1])], ipv4: 1, ipv6: 0 },
    { name: 'one in two slices', slices: [slice(80, [here1]), slice(81, [here1])], ipv4: 1, ipv6: 0 },
    { name: 'one on another node', slices: [slice(80, [{ last: 1 }])], ipv4: 0, ipv6: 0 },
    {
      name: 'not one that drains: it still answers, but is to get no new connections',
      slices: [slice(80, [{ ...here1, ...leaving }])],
      ipv4: 0,
      ipv6: 0,
    },
    {
      name: 'one pod with an address of each family',
      slices: [slice(80, [here1]), slice(80, [here1], { family: 'ipv6' })],
      ipv4: 1,
      ipv6: 1,
    },
    {
      name: 'one of IPv6 alone',
      slices: [slice(80, [{ last: 1 }]), slice(80, [here1], { family: 'ipv6' })],
      ipv4: 0,
      ipv6: 1,
    },
    { name: 'one that no port leads to', slices: [slice(80, [here1], { ports: [] })], ipv4: 1, ipv6: 0 },
  ];
  test.each(rowsOf)('$name', ({ slices, ipv4, ipv6 }) => {
    const count = (family: 'ipv4' | 'ipv6'): number => countReadyLocalEndpoints(slices, here.name, family);
    expect([count('ipv4'), count('ipv6')]).toEqual([ipv4, ipv6]);
  });
});

function slice(target: number, shapes: readonly Shape[], more: Partial<EndpointSliceRecord> = {}): EndpointSliceRecord {
  const endpoints = shapes.map(candidate);
  return {
    namespace: 'd',
    name: 's',
    service: 'd/s',
    family: 'ipv4',
    ports: [{ name: 'http', protocol: 'TCP', port: target }],
    endpoints,
    lastChangeTriggerTime: undefined,
    ...more,
  };
}

describe('candidatesOf', () => {
  const port = { name: 'http', protocol: 'TCP', port: 80, nodePort: 0 } as const;
  const sockets = (slices: readonly EndpointSliceRecord[]): readonly string[] =>
    candidatesOf(port, slices, 'ipv4').map(({ address, port: number }) => `${address}:${number}`);

  test('every slice may have its own target port', () => {
    expect(sockets([slice(8081, [{ last: 2 }]), slice(8080, [{ last: 1 }])])).toEqual([
      '10.0.0.1:8080',
      '10.0.0.2:8081',
    ]);
  });
  test('a slice is matched by the name and the protocol of its port, and by its family', () => {
    expect(
      sockets([
        slice(1, [{ last: 1 }], { ports: [{ name: 'other', protocol: 'TCP', port: 1 }] }),
        slice(2, [{ last: 2 }], { ports: [{ name: 'http', protocol: 'UDP', port: 2 }] }),
        slice(3, [{ last: 3 }], { family: 'ipv6' }),
      ]),
    ).toEqual([]);
  });
  test('an endpoint that stands in two slices for a moment is one, and ready if one of them says so', () => {
    const merged = candidatesOf(port, [slice(80, [{ last: 1, ready: false }]), slice(80, [{ last: 1 }])], 'ipv4');
    expect(merged).toMatchObject([{ address: '10.0.0.1', ready: true }]);
  });
  test.each([
    { name: 'ready before leaving', one: { last: 1 }, other: { last: 1, ...leaving }, kept: { ready: true } },
    { name: 'leaving before gone', one: { last: 1, ...leaving }, other: { last: 1, ...gone }, kept: { serving: true } },
    {
      name: 'else the first slice by name',
      one: { last: 1, zoneHints: ['z2'] },
      other: { last: 1, zoneHints: ['z1'] },
      kept: { zoneHints: ['z1'] },
    },
  ])('what two slices say of one endpoint does not depend on who comes first: $name', ({ one, other, kept }) => {
    const slices = [slice(80, [one], { name: 'b' }), slice(80, [other], { name: 'a' })];
    expect(candidatesOf(port, slices, 'ipv4')).toMatchObject([kept]);
    expect(candidatesOf(port, slices.toReversed(), 'ipv4')).toMatchObject([kept]);
  });
});
