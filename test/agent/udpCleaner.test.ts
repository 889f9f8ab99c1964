/**
 * Stale flows in the kernel's own table: which entries go, and how many programs that takes.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UdpCleaner } from '../../src/agent/conntrack/udpCleaner.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { EndpointSliceRecord } from '../../src/model/endpointSlice.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { NodeRecord } from '../../src/model/node.ts';
import { nodeAddressesOf } from '../../src/model/nodeAddresses.ts';
import type { ServiceRecord } from '../../src/model/service.ts';
import { serviceStateOf } from '../../src/model/serviceState.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import type { RunCommand } from '../../src/system/command.ts';
import { conntrack, type UdpFlow } from '../../src/netfilter/conntrack/tools/conntrack.ts';
import { until } from '../support/until.ts';
import { describeWhere } from '../support/requirements.ts';
import { createEmptyNode, type Network } from '../support/network.ts';
import { defaultConfig, node } from '../support/serviceManifests.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { syncWith } from './syncWith.ts';

/** Prefixes of addresses, by family. */
const networks = {
  ipv4: { service: '10.96.0.', pod: '10.1.0.', client: '10.2.0.' },
  ipv6: { service: 'fd00:96::', pod: 'fd00:1::', client: 'fd00:2::' },
};
const key = 'kube-system/dns';
const replaced = Array.from({ length: 50 }, (_, index) => index + 1);

interface Entry {
  readonly protocol?: 'tcp' | 'udp';
  readonly client: number;
  /** Of the address that it is sent to, as a Service. */
  readonly to: number;
  readonly pod: number;
  readonly zone?: number;
}

describeWhere(['root'], 'UdpCleaner on a kernel', () => {
  describe.each(['ipv4', 'ipv6'] as const)('%s', (family: IPFamily) => {
    const { service, pod, client } = networks[family];
    let kernel: Pick<Network, 'runOnNode' | 'close'>;
    let cleaner: UdpCleaner;
    let programs: string[];
    let metrics: ReturnType<typeof createAgentMetrics>;

    beforeEach(() => {
      kernel = createEmptyNode();
      metrics = createAgentMetrics();
      programs = [];
      const run: RunCommand = (command) => {
        programs.push(command.file.split('/').at(-1) ?? '');
        return kernel.runOnNode(command);
      };
      const options = {
        family,
        conntrack: conntrack({ run }),
        readNodeAddresses: (record: NodeRecord) => nodeAddressesOf([], record),
        metrics,
        logger: silentLogger,
      };
      cleaner = new UdpCleaner({ ...options, maxAtOnce: 120 });
    });
    afterEach(async () => {
      await cleaner.stop();
      await kernel.close();
    });

    /** DNS at two addresses, served by these pods. */
    function sync(pods: readonly number[]): void {
      const addressType = family === 'ipv4' ? 'IPv4' : 'IPv6';
      const metadata = { namespace: 'kube-system', name: 'dns', labels: { 'kubernetes.io/service-name': 'dns' } };
      const ports = [{ name: 'dns', port: 53, protocol: 'UDP' }];
      const record = decodeService({
        metadata,
        spec: { clusterIPs: [`${service}10`], clusterIP: `${service}10`, externalIPs: [`${service}11`], ports },
      }).record as ServiceRecord;
      const endpoints = pods.map((each) => ({ addresses: [`${pod}${each}`], conditions: { ready: true } }));
      const slices = [decodeEndpointSlice({ metadata, addressType, ports, endpoints }).record as EndpointSliceRecord];
      const config = { ...defaultConfig, externalIPs: { allowedCIDRs: ['0.0.0.0/0', '::/0'] } };
      const state = serviceStateOf({
        services: new Map([[key, record]]),
        slices: new Map([[key, slices]]),
        node,
        config,
        family,
      });
      syncWith(cleaner, state, [key]);
    }

    async function track(entries: readonly Entry[]): Promise<void> {
      const commands = entries.map(({ protocol = 'udp', client: from, to, pod: by, zone = 0 }) => {
        const more = `${zone > 0 ? ` -w ${zone}` : ''}${protocol === 'tcp' ? ' --state ESTABLISHED' : ''}`;
        const there = `-s ${client}${from} -d ${service}${to} --sport 4000 --dport 53`;
        const back = `-r ${pod}${by} -q ${client}${from} --reply-port-src 53 --reply-port-dst 4000`;
        return `conntrack -I -p ${protocol} ${there} ${back} -t 600${more} 2>&1\n`;
      });
      await kernel.runOnNode({ file: '/bin/sh', args: ['-e'], input: commands, timeoutMs: 30_000 });
    }

    async function tracked(): Promise<readonly string[]> {
      const lines: string[] = [];
      await kernel.runOnNode({
        file: '/usr/sbin/conntrack',
        args: ['-L', '-f', family],
        onLine: (line) => lines.push(line.replace(/ \d+ (?=src|ESTABLISHED)/, ' ')),
        timeoutMs: 10_000,
      });
      return lines.sort();
    }

    async function ended(): Promise<number> {
      const { values } = await metrics.conntrackDeleted.get();
      return values[0]?.value ?? 0;
    }

    const others: readonly Entry[] = [
      { client: 1, to: 10, pod: 100 },
      { client: 1, to: 12, pod: 1 },
      { client: 2, to: 10, pod: 1, protocol: 'tcp' },
    ];
    /** Those of a zone are found and deleted in it, and not mistaken for those of the same addresses in none. */
    const zoned: readonly Entry[] = [
      { client: 3, to: 10, pod: 100 },
      { client: 3, to: 10, pod: 1, zone: 5 },
    ];

    test('ends the flows of 50 replaced endpoints behind two addresses by one dump and one deletion, and no other', async () => {
      await track(others);
      const before = await tracked();
      sync([...replaced, 100]);
      await until('the first dump is over', () => programs.length === 1);
      await track(replaced.flatMap((each) => [10, 11].map((to) => ({ client: 10 * to + each, to, pod: each }))));
      expect(await tracked()).toHaveLength(103);
      programs.length = 0;
      sync([...replaced.map((each) => each + 100), 100]);
      await until('they are gone', async () => (await ended()) === 100);
      expect(await tracked()).toEqual(before);
      expect(programs).toEqual(['conntrack', 'perl']);
    });

    test('ends a flow in its zone', async () => {
      sync([1, 100]);
      await track(zoned);
      sync([100]);
      await until('it is gone', async () => (await ended()) === 1);
      expect(await tracked()).toEqual([expect.stringContaining(`src=${pod}100 `)]);
    });

    test('ends more flows than are kept in memory', async () => {
      sync([1, 2]);
      await until('the first dump is over', () => programs.length === 1);
      await track(Array.from({ length: 200 }, (_, index) => ({ client: index + 1, to: 10, pod: 1 })));
      programs.length = 0;
      sync([2]);
      await until('they are gone', async () => (await ended()) === 200);
      expect(await tracked()).toEqual([]);
      expect(programs).toEqual(['conntrack', 'perl', 'conntrack', 'perl']);
    });
  });

  test('keeps an entry that replaced another, and does not fail for one that ended by itself', async () => {
    const kernel = createEmptyNode();
    try {
      const insert =
        'conntrack -I -p udp -s 10.2.0.1 -d 10.96.0.10 --sport 4000 --dport 53 -r 10.1.0.1 -q 10.2.0.1 --reply-port-src 53 --reply-port-dst 4000 -t 600';
      const inKernel = (script: string): Promise<string> =>
        kernel.runOnNode({ file: '/bin/sh', args: ['-ec', script], timeoutMs: 10_000 });
      await inKernel(insert);
      const table = conntrack({ run: kernel.runOnNode });
      const found: UdpFlow[] = [];
      await table.listUdp('ipv4', (flow) => found.push(flow));
      expect(found).toHaveLength(1);
      expect(await table.deleteUdp(found.map((flow) => ({ ...flow, id: flow.id ^ 1 })))).toBe(0);
      expect(await inKernel('conntrack -L')).toContain('10.96.0.10');
      expect(await table.deleteUdp(found)).toBe(1);
      expect(await table.deleteUdp(found)).toBe(0);
    } finally {
      await kernel.close();
    }
  });

  test('fails where the kernel refuses the deletion', async () => {
    const kernel = createEmptyNode();
    try {
      const powerless = ['--bounding-set', '-net_admin', '--inh-caps', '-net_admin'];
      const table = conntrack({
        run: (command) =>
          kernel.runOnNode({
            ...command,
            file: '/usr/bin/setpriv',
            args: [...powerless, command.file, ...command.args],
          }),
      });
      const flow = {
        source: '10.2.0.1',
        sourcePort: 1,
        destination: '10.96.0.1',
        port: 53,
        replySource: '10.1.0.1',
        replyPort: 53,
        zone: 0,
        id: 1,
      };
      await expect(table.deleteUdp([flow])).rejects.toMatchObject({
        reason: 'Failed',
        stderr: expect.stringContaining('not permitted'),
      });
    } finally {
      await kernel.close();
    }
  });
});
