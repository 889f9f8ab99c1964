import { describe, expect, test } from '@jest/globals';
import { formatChangeSet } from '../../../src/backend/ipvs/plan/changeSet.ts';
import { planDrain } from '../../../src/backend/ipvs/plan/drain.ts';
import type { KernelState } from '../../../src/backend/ipvs/plan/kernelState.ts';
import type { ExistingRealServer } from '../../../src/netfilter/ipvs/serverReader.ts';
import type { SetId } from '../../../src/backend/ipvs/plan/sets.ts';
import { serverAddress } from '../../../src/netfilter/ipvs/virtualServer.ts';

function real(connections: number, weight = 1): ExistingRealServer {
  return { weight, connections, masquerading: true };
}

function leftovers(
  servers: Readonly<Record<string, Readonly<Record<string, ExistingRealServer>>>>,
  sets: Partial<Record<SetId, readonly string[]>> = {},
): KernelState {
  const names = Object.keys(servers);
  return {
    hasDevice: true,
    addresses: new Set(names.map(serverAddress).filter((address) => !address.startsWith('192.0.2.'))),
    localAddresses: ['192.0.2.1'],
    servers: new Map(
      Object.entries(servers).map(([name, reals]) => [
        name,
        { scheduler: 'rr', persistenceSeconds: undefined, realServers: new Map(Object.entries(reals)) },
      ]),
    ),
    sets: new Map(
      Object.entries(sets).map(([id, entries]) => [id as SetId, { maxElements: 65_536, entries: new Set(entries) }]),
    ),
    formerSets: new Map(),
    hasSpareSet: false,
  };
}

const cases: { name: string; leftovers: KernelState; busy: readonly string[]; lines: readonly string[] }[] = [
  {
    name: 'a real server with connections takes no new ones, its idle neighbour goes',
    leftovers: leftovers({ '-t 10.96.0.1:80': { '10.1.0.1:80': real(2), '10.1.0.2:80': real(0) } }),
    busy: ['-t 10.96.0.1:80'],
    lines: ['-e -t 10.96.0.1:80 -r 10.1.0.1:80 -m -w 0', '-d -t 10.96.0.1:80 -r 10.1.0.2:80'],
  },
  {
    name: 'a UDP flow goes on where it was',
    leftovers: leftovers({ '-u 10.96.0.1:53': { '10.1.0.1:53': real(1) } }),
    busy: ['-u 10.96.0.1:53'],
    lines: ['-e -u 10.96.0.1:53 -r 10.1.0.1:53 -m -w 0'],
  },
  {
    name: 'what drains already is left alone',
    leftovers: leftovers({ '-t 10.96.0.1:80': { '10.1.0.1:80': real(2, 0) } }),
    busy: ['-t 10.96.0.1:80'],
    lines: [],
  },
  {
    name: 'an idle virtual server goes, behind its set entries and its address',
    leftovers: leftovers(
      { '-t 10.96.0.1:80': { '10.1.0.1:80': real(0) } },
      { 'KUBE-CLUSTER-IP': ['10.96.0.1,tcp:80'], 'KUBE-IPVS-IPS': ['10.96.0.1'] },
    ),
    busy: [],
    lines: [
      'del KUBE-CLUSTER-IP 10.96.0.1,tcp:80',
      'address del 10.96.0.1/32 dev kube-ipvs0',
      'del KUBE-IPVS-IPS 10.96.0.1',
      '-D -t 10.96.0.1:80',
    ],
  },
  {
    name: 'an address stays for the port that still has connections, and opens no other',
    leftovers: leftovers(
      { '-t 10.96.0.1:80': { '10.1.0.1:80': real(1, 0) }, '-t 10.96.0.1:443': {} },
      {
        'KUBE-CLUSTER-IP': ['10.96.0.1,tcp:80', '10.96.0.1,tcp:443'],
        'KUBE-LOOP-BACK': ['10.1.0.1,tcp:80,10.1.0.1'],
        'KUBE-IPVS-IPS': ['10.96.0.1'],
      },
    ),
    busy: ['-t 10.96.0.1:80'],
    lines: [
      'del KUBE-CLUSTER-IP 10.96.0.1,tcp:443',
      'del KUBE-LOOP-BACK 10.1.0.1,tcp:80,10.1.0.1',
      '-D -t 10.96.0.1:443',
    ],
  },
  {
    name: 'entries by which a virtual server of a NodePort is known stay with it',
    leftovers: leftovers(
      { '-t 192.0.2.1:30080': { '10.1.0.1:80': real(1, 0) } },
      { 'KUBE-NODE-PORT-TCP': ['30080', '30081'], 'KUBE-NODE-PORT-UDP': ['30080'] },
    ),
    busy: ['-t 192.0.2.1:30080'],
    lines: ['del KUBE-NODE-PORT-TCP 30081', 'del KUBE-NODE-PORT-UDP 30080'],
  },
];

describe('planDrain', () => {
  test.each(cases)('$name', ({ leftovers: kernel, busy, lines }) => {
    const drain = planDrain(kernel);
    const { servers, sets, addresses, setsAfter, serversAfter } = formatChangeSet(drain.changes, 'ipv4');
    expect(drain.busy).toEqual(busy);
    expect([...servers, ...sets, ...addresses, ...setsAfter, ...serversAfter]).toEqual(lines);
  });
});
