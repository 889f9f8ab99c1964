/** What a change does to the kernel, and in which order; how real servers leave. */
import { describe, expect, test } from '@jest/globals';
import { formatChangeSet } from '../../../src/backend/ipvs/plan/changeSet.ts';
import type { KernelState } from '../../../src/backend/ipvs/plan/kernelState.ts';
import type { ExistingServer } from '../../../src/netfilter/ipvs/serverReader.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { clusterIP } from '../../support/serviceManifests.ts';
import { allLines, kernelWith, desiredStateOf, nodeAddress } from './desiredStates.ts';

const tcp = [{ port: 80 }];
const web = (rest: Partial<ServiceManifest> = {}): ServiceManifest => ({
  name: 'web',
  clusterIP: clusterIP(1),
  ports: tcp,
  pods: ['podA', 'remotePod'],
  ...rest,
});

function server(realServers: Record<string, number>, masquerading = true, connections = 0): ExistingServer {
  const entries = Object.entries(realServers).map(
    ([address, weight]) => [address, { weight, connections, masquerading }] as const,
  );
  return { scheduler: 'rr', persistenceSeconds: undefined, realServers: new Map(entries) };
}

/** What is read from a kernel in which the remote pod still has some. */
function withConnections(connections: number): KernelState {
  return kernelWith({ servers: new Map([['-t 10.96.0.1:80', server({ '10.244.2.5:8080': 0 }, true, connections)]]) });
}

describe('DesiredState', () => {
  describe('a Service comes and goes', () => {
    test('first what is led to, then the entries, then the address', () => {
      const { servers, sets, addresses } = desiredStateOf().become([web()]);
      expect(servers).toEqual([
        '-A -t 10.96.0.1:80 -s rr',
        '-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1',
        '-a -t 10.96.0.1:80 -r 10.244.2.5:8080 -m -w 1',
      ]);
      expect(sets.filter((line) => line.startsWith('add'))).toEqual([
        'add KUBE-CLUSTER-IP 10.96.0.1,tcp:80',
        'add KUBE-LOOP-BACK 10.244.1.2,tcp:8080,10.244.1.2',
        'add KUBE-IPVS-IPS 10.96.0.1',
      ]);
      expect(addresses).toEqual(['address replace 10.96.0.1/32 dev kube-ipvs0']);
    });

    test('one UDP port goes at once: the address before its entry in KUBE-IPVS-IPS, the virtual server last', () => {
      const one = desiredStateOf();
      one.become([web({ ports: [{ port: 53, protocol: 'UDP' }] })]);
      expect(one.become([])).toEqual({
        servers: [],
        sets: ['del KUBE-CLUSTER-IP 10.96.0.1,udp:53', 'del KUBE-LOOP-BACK 10.244.1.2,udp:8080,10.244.1.2'],
        addresses: ['address del 10.96.0.1/32 dev kube-ipvs0'],
        setsAfter: ['del KUBE-IPVS-IPS 10.96.0.1'],
        serversAfter: ['-D -u 10.96.0.1:53'],
      });
    });

    test('an address that another port still has stays', () => {
      const one = desiredStateOf();
      const other: ServiceManifest = { name: 'other', clusterIP: clusterIP(1), ports: [{ port: 81, protocol: 'UDP' }] };
      one.become([web(), other]);
      expect(allLines(one.become([web()]))).toEqual(['del KUBE-CLUSTER-IP 10.96.0.1,udp:81', '-D -u 10.96.0.1:81']);
    });

    test('of two that claim the same address and port, the first by name has it, and then the other', () => {
      const one = desiredStateOf();
      const other = web({ name: 'zz', pods: ['podB'] });
      expect(one.become([other, web()]).servers).toContain('-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1');
      expect(one.become([other]).servers).toContain('-a -t 10.96.0.1:80 -r 10.244.1.3:8080 -m -w 1');
    });

    test('a cluster IP that another device has never goes onto kube-ipvs0', () => {
      const kernel = kernelWith({ localAddresses: [nodeAddress, clusterIP(1).ipv4] });
      const { addresses, servers } = desiredStateOf(kernel).become([web()]);
      expect(addresses).toEqual([]);
      expect(servers).toContain('-A -t 10.96.0.1:80 -s rr');
    });
  });

  describe('real servers leave', () => {
    test('TCP: weight 0 until the last connection has ended', () => {
      const one = desiredStateOf();
      one.become([web()]);
      expect(allLines(one.become([web({ pods: ['podA'] })]))).toEqual([
        '-e -t 10.96.0.1:80 -r 10.244.2.5:8080 -m -w 0',
      ]);
      expect(allLines(formatChangeSet(one.desired.finishDraining(withConnections(1)), 'ipv4'))).toEqual([]);
      expect(allLines(formatChangeSet(one.desired.finishDraining(withConnections(0)), 'ipv4'))).toEqual([
        '-d -t 10.96.0.1:80 -r 10.244.2.5:8080',
      ]);
      expect(one.desired.isDraining).toBe(false);
    });

    test('TCP: one that comes back while it drains gets weight 1', () => {
      const one = desiredStateOf();
      one.become([web()]);
      one.become([web({ pods: ['podA'] })]);
      expect(allLines(one.become([web()]))).toEqual(['-e -t 10.96.0.1:80 -r 10.244.2.5:8080 -m -w 1']);
      expect(one.desired.isDraining).toBe(false);
    });

    test('a deleted Service keeps its address and virtual server until it has drained', () => {
      const one = desiredStateOf();
      one.become([web({ pods: ['remotePod'] })]);
      expect(allLines(one.become([]))).toEqual([
        '-e -t 10.96.0.1:80 -r 10.244.2.5:8080 -m -w 0',
        'del KUBE-CLUSTER-IP 10.96.0.1,tcp:80',
      ]);
      expect(allLines(formatChangeSet(one.desired.finishDraining(kernelWith()), 'ipv4'))).toEqual([
        '-d -t 10.96.0.1:80 -r 10.244.2.5:8080',
        'address del 10.96.0.1/32 dev kube-ipvs0',
        'del KUBE-IPVS-IPS 10.96.0.1',
        '-D -t 10.96.0.1:80',
      ]);
    });

    test.each(['UDP', 'SCTP'])('%s: at once', (protocol) => {
      const one = desiredStateOf();
      one.become([web({ ports: [{ port: 80, protocol }] })]);
      expect(one.become([web({ ports: [{ port: 80, protocol }], pods: ['podA'] })]).servers).toEqual([
        expect.stringMatching(/^-d -\S+ 10\.96\.0\.1:80 -r 10\.244\.2\.5:8080$/),
      ]);
      expect(one.desired.isDraining).toBe(false);
    });
  });

  describe('a start on a node where an agent ran', () => {
    const rows: readonly { name: string; present: ExistingServer; expected: readonly string[] }[] = [
      { name: 'nothing to do', present: server({ '10.244.1.2:8080': 1, '10.244.2.5:8080': 1 }), expected: [] },
      {
        name: 'weights go back to 1',
        present: server({ '10.244.1.2:8080': 0, '10.244.2.5:8080': 1 }),
        expected: ['-e -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1'],
      },
      {
        name: 'another way of forwarding becomes masquerading',
        present: server({ '10.244.1.2:8080': 1, '10.244.2.5:8080': 1 }, false),
        expected: ['-e -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1', '-e -t 10.96.0.1:80 -r 10.244.2.5:8080 -m -w 1'],
      },
      {
        name: 'another scheduler is changed',
        present: { ...server({ '10.244.1.2:8080': 1, '10.244.2.5:8080': 1 }), scheduler: 'lc' },
        expected: ['-E -t 10.96.0.1:80 -s rr'],
      },
      {
        name: 'affinity is taken away',
        present: { ...server({ '10.244.1.2:8080': 1, '10.244.2.5:8080': 1 }), persistenceSeconds: 60 },
        expected: ['-E -t 10.96.0.1:80 -s rr'],
      },
      {
        name: 'an endpoint that is gone drains',
        present: server({ '10.244.1.2:8080': 1, '10.244.2.5:8080': 1, '10.244.9.9:8080': 1 }),
        expected: ['-e -t 10.96.0.1:80 -r 10.244.9.9:8080 -m -w 0'],
      },
    ];
    test.each(rows)('$name', ({ present, expected }) => {
      expect(
        desiredStateOf(kernelWith({ servers: new Map([['-t 10.96.0.1:80', present]]) })).become([web()]).servers,
      ).toEqual(expected);
    });

    test('virtual servers that no Service wants go, but those in excludeCIDRs stay', () => {
      const servers = new Map([
        ['-u 192.0.2.9:53', server({})],
        ['-t 203.0.113.9:80', server({ '10.0.0.1:80': 1 }, false)],
        ['-t 198.51.100.9:80', server({})],
      ]);
      const steps = desiredStateOf(kernelWith({ servers }), {
        ipvs: { scheduler: 'rr', strictARP: false, excludeCIDRs: ['203.0.113.0/24'] },
      }).become([]);
      expect(steps.serversAfter).toEqual(['-D -u 192.0.2.9:53', '-D -t 198.51.100.9:80']);
      expect(steps.servers).toEqual([]);
    });

    test('addresses and entries of Services that are gone go', () => {
      const sets = new Map([
        ['KUBE-CLUSTER-IP' as const, { maxElements: 65_536, entries: new Set(['10.96.0.9,tcp:80']) }],
        ['KUBE-IPVS-IPS' as const, { maxElements: 65_536, entries: new Set(['10.96.0.9', '10.96.0.8']) }],
      ]);
      const lines = allLines(
        desiredStateOf(kernelWith({ hasDevice: true, addresses: new Set(['10.96.0.9']), sets })).become([]),
      ).filter((line) => !line.startsWith('create'));
      expect(lines).toEqual([
        'del KUBE-CLUSTER-IP 10.96.0.9,tcp:80',
        'del KUBE-IPVS-IPS 10.96.0.8',
        'address del 10.96.0.9/32 dev kube-ipvs0',
        'del KUBE-IPVS-IPS 10.96.0.9',
      ]);
    });
  });

  test('a full set is replaced by a larger one, which then takes single entries again', () => {
    const sets = new Map([['KUBE-CLUSTER-IP' as const, { maxElements: 2, entries: new Set<string>() }]]);
    const one = desiredStateOf(kernelWith({ sets }));
    const services = [1, 2, 3, 4].map((index) => ({ name: `s${index}`, clusterIP: clusterIP(index), ports: tcp }));
    one.become(services.slice(0, 2));
    expect(one.become(services.slice(0, 3)).sets.filter((line) => !line.includes('IPVS-IPS'))).toEqual([
      'create KUBE-SPARE-4 hash:ip,port family inet hashsize 1024 maxelem 4',
      'add KUBE-SPARE-4 10.96.0.1,tcp:80',
      'add KUBE-SPARE-4 10.96.0.2,tcp:80',
      'add KUBE-SPARE-4 10.96.0.3,tcp:80',
      'swap KUBE-SPARE-4 KUBE-CLUSTER-IP',
      'destroy KUBE-SPARE-4',
    ]);
    expect(one.become(services).sets).toContain('add KUBE-CLUSTER-IP 10.96.0.4,tcp:80');
  });
});
