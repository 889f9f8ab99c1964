/** What the tools say, and what is read from it; what may be formatted for them. */
import { describe, expect, test } from '@jest/globals';
import { ipvsContext } from '../../../src/backend/ipvs/plan/context.ts';
import { planServicePort } from '../../../src/backend/ipvs/plan/servicePortObjects.ts';
import { AddressReader } from '../../../src/backend/ipvs/apply/addressReader.ts';
import { ServerReader } from '../../../src/netfilter/ipvs/serverReader.ts';
import { SetReader } from '../../../src/netfilter/ipset/setReader.ts';
import { formatRealServer, formatServer, serverName } from '../../../src/netfilter/ipvs/virtualServer.ts';
import { setIds, setIdsByName, setName, socketEntry } from '../../../src/backend/ipvs/plan/sets.ts';
import { neededSysctls } from '../../../src/backend/ipvs/plan/sysctls.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import { defaultConfig, stateOf } from '../../support/serviceManifests.ts';

function readAll<Reader extends { read(line: string): void }>(reader: Reader, text: string): Reader {
  for (const line of text.split('\n')) reader.read(line);
  return reader;
}

const listing = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:80 mh persistent 10800
  -> 10.244.1.2:8080              Masq    1      3          2
  -> 10.244.1.3:8080              Route   0      0          0
TCP  [fd00::1]:80 rr
  -> [fd00:10:244:1:1111:2222:3333:4444]:8080 Masq    1      0          0
FWM  7 rr
  -> 10.9.9.9:0                   Masq    1      0          0
SCTP 10.96.0.1:80 rr`;

describe('ServerReader', () => {
  test('reads virtual servers of one family, with affinity, forwarding, weights and connections; none by mark', () => {
    const { servers } = readAll(new ServerReader('ipv4'), listing);
    expect([...servers.keys()]).toEqual(['-t 10.96.0.1:80', '--sctp-service 10.96.0.1:80']);
    expect(servers.get('-t 10.96.0.1:80')).toEqual({
      scheduler: 'mh',
      persistenceSeconds: 10_800,
      realServers: new Map([
        ['10.244.1.2:8080', { weight: 1, connections: 5, masquerading: true }],
        ['10.244.1.3:8080', { weight: 0, connections: 0, masquerading: false }],
      ]),
    });
  });

  test('reads IPv6 addresses whole', () => {
    const { servers } = readAll(new ServerReader('ipv6'), listing);
    expect([...(servers.get('-t [fd00::1]:80')?.realServers.keys() ?? [])]).toEqual([
      '[fd00:10:244:1:1111:2222:3333:4444]:8080',
    ]);
  });
});

describe('SetReader', () => {
  test('reads our sets of one family, their size and entries, and no others', () => {
    const text = `create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 131072 bucketsize 12 initval 0x1
add KUBE-CLUSTER-IP 10.96.0.1,tcp:80
create KUBE-NODE-PORT-TCP bitmap:port range 0-65535
add KUBE-NODE-PORT-TCP 31000
create KUBE-6-CLUSTER-IP hash:ip,port family inet6 hashsize 1024 maxelem 65536
create MINE hash:ip family inet hashsize 1024 maxelem 65536
add MINE 1.2.3.4
create KUBE-SPARE-4 hash:ip,port family inet hashsize 1024 maxelem 131072`;
    const reader = readAll(new SetReader(setIdsByName('ipv4')), text);
    expect(reader.sets).toEqual(
      new Map([
        ['KUBE-CLUSTER-IP', { maxElements: 131_072, entries: new Set(['10.96.0.1,tcp:80']) }],
        ['KUBE-NODE-PORT-TCP', { maxElements: Infinity, entries: new Set(['31000']) }],
      ]),
    );
    expect(reader.names.has('KUBE-SPARE-4')).toBe(true);
  });
});

describe('AddressReader', () => {
  test.each([
    { version: '6.1', byKernel: { host: '', link: '' } },
    { version: '6.15', byKernel: { host: ' proto kernel_lo', link: ' proto kernel_ll' } },
  ])('reads of iproute2 $version what is on kube-ipvs0, and what the node has besides', ({ byKernel }) => {
    const text = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    inet 127.0.0.1/8 scope host lo
    inet6 ::1/128 scope host${byKernel.host}
2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 1a:d2:e6:89:e7:14 brd ff:ff:ff:ff:ff:ff
    inet 192.0.2.1/24 brd 192.0.2.255 scope global eth0
    inet6 2001:db8:1::1/64 scope global nodad
    inet6 fe80::1/64 scope link${byKernel.link}
3: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN group default qlen 1000
    inet 10.96.0.1/32 scope global kube-ipvs0`;
    expect(readAll(new AddressReader('ipv4'), text)).toMatchObject({
      hasDevice: true,
      own: new Set(['10.96.0.1']),
      others: ['192.0.2.1'],
    });
    expect(readAll(new AddressReader('ipv6'), text)).toMatchObject({
      hasDevice: true,
      own: new Set(),
      others: ['2001:db8:1::1'],
    });
  });
});

describe('setName', () => {
  test.each(['ipv4', 'ipv6'] as const)('is unique and short enough for the kernel, %s', (family) => {
    const names = setIds.map((id) => setName(id, family));
    expect(new Set(names).size).toBe(names.length);
    expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(31);
  });
});

describe('formatting for the tools refuses', () => {
  const socket = { protocol: 'TCP', address: '10.96.0.1', port: 80 } as const;
  const rows: readonly { name: string; format: () => unknown }[] = [
    { name: 'a line end in an address', format: () => serverName({ ...socket, address: '10.96.0.1\n-C' }) },
    { name: 'a host name', format: () => socketEntry('KUBE-CLUSTER-IP', { ...socket, address: 'example.com' }) },
    { name: 'a port that is none', format: () => serverName({ ...socket, port: 65_536 }) },
    {
      name: 'a line end in a source',
      format: () => socketEntry('KUBE-LOOP-BACK', socket, '10.0.0.0/8\nflush'),
    },
    {
      name: 'an option in a real server',
      format: () => formatRealServer('-a', { server: '-t 10.96.0.1:80', address: '10.0.0.1:80 -g' }, 1),
    },
    {
      name: 'an option in a scheduler',
      format: () =>
        formatServer('-A', { name: '-t 10.96.0.1:80', scheduler: 'rr -p 1', persistenceSeconds: undefined }),
    },
  ];
  test.each(rows)('$name', ({ format }) => {
    expect(format).toThrow(/must not reach the kernel|not the name/);
  });
});

describe('planServicePort makes virtual servers of a NodePort', () => {
  const rows: readonly { name: string; addresses?: string[]; family?: IPFamily; expected: readonly string[] }[] = [
    { name: 'on all addresses of the node', expected: ['-A 10.244.255.2', '-A 192.0.2.1'] },
    { name: 'on the primary one', addresses: ['primary'], expected: ['-A 192.0.2.1'] },
    { name: 'on those in a network', addresses: ['10.0.0.0/8'], expected: ['-A 10.244.255.2'] },
    {
      name: 'on the primary one and those in a network',
      addresses: ['primary', '10.0.0.0/8'],
      expected: ['-A 10.244.255.2', '-A 192.0.2.1'],
    },
    {
      name: 'on all, named beside others',
      addresses: ['primary', 'all'],
      expected: ['-A 10.244.255.2', '-A 192.0.2.1'],
    },
  ];
  test.each(rows)('$name', ({ addresses, expected }) => {
    const state = stateOf(
      'ipv4',
      [
        {
          name: 'web',
          clusterIP: { ipv4: '10.96.0.1', ipv6: 'fd00:10:96::1' },
          ports: [{ port: 80, nodePort: 30_080 }],
          spec: { type: 'NodePort' },
          pods: ['podA'],
        },
      ],
      addresses && { nodePorts: { addresses } },
    );
    const [port] = state.ports('default/web');
    if (port === undefined) throw new Error('no port');
    const { virtualServers } = planServicePort(port, ipvsContext(state, ['192.0.2.1', '10.244.255.2']));
    expect(
      virtualServers
        .filter(({ name }) => name.endsWith(':30080'))
        .map(({ name }) => name.replace('-t ', '-A ').replace(':30080', '')),
    ).toEqual(expected);
  });
});

describe('neededSysctls', () => {
  const rows: readonly {
    name: string;
    strictARP?: boolean;
    family?: IPFamily;
    kernel: string;
    has: readonly string[];
    lacks: readonly string[];
  }[] = [
    {
      name: 'a kernel that reuses ports badly',
      kernel: '5.8.0-1',
      has: ['net/ipv4/vs/conntrack=1', 'net/ipv4/vs/conn_reuse_mode=0', 'net/ipv4/ip_forward=1'],
      lacks: ['net/ipv4/conf/all/arp_ignore=1'],
    },
    {
      name: 'a newer one',
      kernel: '6.1.0-18-amd64',
      has: ['net/ipv4/vs/expire_nodest_conn=1'],
      lacks: ['net/ipv4/vs/conn_reuse_mode=0'],
    },
    {
      name: 'strictARP',
      strictARP: true,
      kernel: '6.1.0',
      has: ['net/ipv4/conf/all/arp_ignore=1', 'net/ipv4/conf/all/arp_announce=2'],
      lacks: [],
    },
    {
      name: 'IPv6 leaves IPv4 forwarding alone',
      family: 'ipv6',
      kernel: '6.1.0',
      has: ['net/ipv4/vs/conntrack=1'],
      lacks: ['net/ipv4/ip_forward=1'],
    },
  ];
  test.each(rows)('$name', ({ strictARP = false, family = 'ipv4', kernel, has, lacks }) => {
    const settings = neededSysctls({ ...defaultConfig, ipvs: { scheduler: 'rr', strictARP } }, family, kernel).map(
      ({ name, value }) => `${name}=${value}`,
    );
    expect(settings).toEqual(expect.arrayContaining([...has]));
    expect(settings.filter((setting) => lacks.includes(setting))).toEqual([]);
  });
});
