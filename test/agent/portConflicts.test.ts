/**
 * Which ports of Services are found to be another program's. With sockets as data; with real ones, on a node with an
 * agent: `test/faults/heldPorts.test.ts`.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PortConflicts } from '../../src/agent/status/portConflicts.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { nodeAddressesOf } from '../../src/model/nodeAddresses.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import type { ListeningSocket } from '../../src/system/listeningSockets.ts';
import { clusterIP, type ServiceManifest, stateOf } from '../support/serviceManifests.ts';
import { until } from '../support/until.ts';
import { syncWith } from './syncWith.ts';

const nodePort = 30_080;

function holder(socket: Partial<ListeningSocket> = {}): ListeningSocket {
  const { address = '0.0.0.0' } = socket;
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  return { protocol: 'TCP', family, address, port: nodePort, inode: 1, isOwn: false, ...socket };
}

const allZeros = '0000:0000:0000:0000:0000:0000:0000:0000';
const web = (spec: object = {}, name = 'web'): ServiceManifest => ({
  name,
  clusterIP: clusterIP(1),
  ports: [{ port: 80, nodePort }],
  spec: { type: 'NodePort', ...spec },
});

let sockets: readonly ListeningSocket[];
let looks: number;
let changes: number;
let warnings: { readonly ports: readonly string[]; readonly count: number }[];
let metrics: ReturnType<typeof createAgentMetrics>;
let conflicts: PortConflicts;

beforeEach(() => {
  sockets = [];
  looks = 0;
  changes = 0;
  warnings = [];
  metrics = createAgentMetrics();
  conflicts = new PortConflicts({
    readListeningSockets: () => {
      looks += 1;
      return Promise.resolve(sockets);
    },
    readNodeAddresses: (record) =>
      nodeAddressesOf(
        [
          { device: 'lo', address: '127.0.0.1' },
          { device: 'eth0', address: '192.0.2.1' },
          { device: 'eth0', address: '2001:db8::1' },
          { device: 'eth1', address: '198.51.100.1' },
        ],
        record,
      ),
    metrics,
    logger: {
      error: () => undefined,
      warn: (_words, fields) => void warnings.push(fields as (typeof warnings)[number]),
      info: () => undefined,
      debug: () => undefined,
    },
    onStatusChange: () => void (changes += 1),
    timing: { periodMs: 10, conflictPeriodMs: 5, minPeriodMs: 2 },
  });
});
afterEach(() => conflicts.stop());

async function afterNextLook(): Promise<void> {
  const { length } = Array.from({ length: looks });
  await until('it has looked', () => looks > length + 1);
}

function serve(
  manifests: readonly ServiceManifest[],
  families: readonly IPFamily[] = ['ipv4', 'ipv6'],
  config = {},
): void {
  for (const family of families) syncWith(conflicts, stateOf(family, manifests, config), undefined, { full: true });
}

const metric = async (): Promise<unknown> => (await metrics.portConflicts.get()).values;
const names = (): string[] => conflicts.found.map(({ service, port, protocol }) => `${service} ${port}/${protocol}`);

describe('PortConflicts', () => {
  interface Row {
    readonly name: string;
    readonly socket: Partial<ListeningSocket>;
    readonly families?: readonly IPFamily[];
    readonly config?: object;
    readonly isConflict: boolean;
  }
  const six = { address: allZeros };
  const rows: readonly Row[] = [
    { name: 'all addresses of IPv4', socket: {}, isConflict: true },
    { name: 'all addresses of IPv4, where IPv6 is served', socket: {}, families: ['ipv6'], isConflict: false },
    { name: 'all addresses of IPv6', socket: six, families: ['ipv6'], isConflict: true },
    { name: 'all addresses of IPv6, which takes IPv4, too', socket: six, families: ['ipv4'], isConflict: true },
    { name: 'an address of the node', socket: { address: '192.0.2.1' }, isConflict: true },
    { name: 'the same in a socket of IPv6', socket: { address: '::ffff:192.0.2.1' }, isConflict: true },
    { name: 'a loopback address', socket: { address: '127.0.0.1' }, isConflict: false },
    { name: 'the loopback address of IPv6', socket: { address: '::1' }, isConflict: false },
    { name: 'another protocol', socket: { protocol: 'UDP' }, isConflict: false },
    { name: 'another port', socket: { port: nodePort + 1 }, isConflict: false },
    { name: 'a socket of the agent', socket: { isOwn: true }, isConflict: true },
    {
      name: 'an address that NodePorts are not served on',
      socket: { address: '192.0.2.1' },
      config: { nodePorts: { addresses: ['198.51.100.0/24'] } },
      isConflict: false,
    },
    {
      name: 'one that they are',
      socket: { address: '198.51.100.1' },
      config: { nodePorts: { addresses: ['198.51.100.0/24'] } },
      isConflict: true,
    },
  ];
  test.each(rows)('$name: $isConflict', async ({ socket, families, config, isConflict }) => {
    sockets = [holder(socket)];
    serve([web()], families, config);
    await afterNextLook();
    expect(names()).toEqual(isConflict ? [`default/web ${nodePort}/TCP`] : []);
  });

  test('knows a health-check node port that is held, and its own listener on it', async () => {
    const balanced = web({ type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 31_777 });
    sockets = [holder({ port: 31_777, isOwn: true })];
    serve([balanced]);
    await afterNextLook();
    expect(names()).toEqual([]);
    sockets = [holder({ port: 31_777 })];
    await until('it is found', () => names().length > 0);
    expect(conflicts.conditions()).toMatchObject([
      {
        type: 'NodePorts',
        status: 'False',
        reason: 'PortInUse',
        message: expect.stringContaining('default/web 31777/TCP (health check)'),
      },
    ]);
  });

  test('warns once for each program that listens, and says when it is over', async () => {
    sockets = [holder()];
    serve([web()]);
    await until('it is found', () => names().length > 0);
    await afterNextLook();
    expect(warnings).toEqual([{ count: 1, ports: [`default/web ${nodePort}/TCP`] }]);
    expect(changes).toBe(1);
    const labels = { namespace: 'default', service: 'web', port: nodePort, protocol: 'TCP' };
    expect(await metric()).toEqual([{ labels, value: 1 }]);
    sockets = [holder({ inode: 2 })];
    await until('the other program is warned of', () => warnings.length === 2);
    expect(changes).toBe(1);
    sockets = [];
    await until('it is over', () => changes === 2);
    expect([names(), conflicts.conditions(), await metric()]).toEqual([[], [], []]);
  });

  test('bounds its words, however many and long', async () => {
    const many = Array.from({ length: 200 }, (_, index) => ({
      ...web({}, `${'n'.repeat(59)}${String(index).padStart(3, '0')}`),
      ports: [{ port: 80, nodePort: 30_000 + index }],
    }));
    sockets = many.map((_, index) => holder({ port: 30_000 + index, inode: index }));
    serve(many, ['ipv4']);
    await until('they are found', () => names().length === 200);
    expect(conflicts.conditions()[0]?.message).toMatch(/ and 198 more\. /);
    expect(conflicts.conditions()[0]?.message.length).toBeLessThanOrEqual(256);
    expect(warnings[0]).toMatchObject({ count: 200, ports: { length: 10 } });
    expect(await metric()).toHaveLength(100);
  });

  test('does not look where no Service has a port of the node, nor for changes that are about none', async () => {
    serve([{ name: 'plain', clusterIP: clusterIP(2) }]);
    syncWith(conflicts, stateOf('ipv4', [web()]), []);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(looks).toBe(0);
  });

  test('forgets a Service that is gone', async () => {
    sockets = [holder()];
    serve([web()]);
    await until('it is found', () => names().length > 0);
    serve([]);
    await until('it is forgotten', () => names().length === 0);
    const before = looks;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(looks).toBe(before);
  });
});
