/**
 * Ports of Services that another program on the node listens on: NodePorts are served and everybody is told; a
 * health-check node port is taken when it is free. With an agent as a process of its own and real sockets.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { balanced, healthCheckNodePort } from '../agent/healthCheckNodePort.ts';
import { withoutIdentity } from '../support/objects.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';
import { endpoints, FaultNode, fewConnections } from './faultNode.ts';

/** A look follows a change within 5 s, a report the one before within 10 s; three times as long. */
const maxShownMs = 45_000;
/** Where there is a conflict it is looked every 10 s, and reported within 10 s more; three times as long. */
const maxOverMs = 60_000;

interface Held {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly host: string;
  readonly port: number;
}

const held: readonly Held[] = [
  { name: 'tcp-four', protocol: 'TCP', host: '0.0.0.0', port: 30_181 },
  { name: 'tcp-six', protocol: 'TCP', host: '::', port: 30_182 },
  { name: 'udp-four', protocol: 'UDP', host: '0.0.0.0', port: 30_183 },
  { name: 'udp-six', protocol: 'UDP', host: '::', port: 30_184 },
];

function serviceOn({ name, protocol, host, port }: Held): object {
  const ipFamilies = [host === '::' ? 'IPv6' : 'IPv4'];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'NodePort', ipFamilies, ports: [{ name: 'http', protocol, port: 80, nodePort: port }] },
  };
}

function sliceOf({ name, protocol, host }: Held): object {
  const [addressType, addresses] = host === '::' ? ['IPv6', ['fd00:1::1']] : ['IPv4', endpoints];
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType,
    ports: [{ name: 'http', protocol, port: 8080 }],
    endpoints: [{ addresses: [addresses[0]], conditions: { ready: true } }],
  };
}

/** Listens on all of these; whoever connects by TCP is told who it is. */
function holderOf(ports: readonly Omit<Held, 'name'>[]): string {
  return `import net from 'node:net'; import dgram from 'node:dgram';
    for (const { protocol, host, port } of ${JSON.stringify(ports)}) {
      if (protocol === 'TCP') net.createServer((socket) => socket.end('holder')).listen({ host, port, ipv6Only: true });
      else dgram.createSocket({ type: host === '::' ? 'udp6' : 'udp4', ipv6Only: host === '::' }).bind(port, host);
    }
    console.log('listens')`;
}

describeWhere(['root', 'cluster', 'iptables'], 'Agent on a node whose ports other programs have', () => {
  let node: FaultNode;
  const holders = new Set<ChildProcess>();
  beforeAll(async () => {
    node = await FaultNode.start();
  }, 120_000);
  afterAll(async () => {
    for (const holder of holders) holder.kill('SIGKILL');
    await node?.stop();
  }, 30_000);

  async function hold(ports: readonly Omit<Held, 'name'>[]): Promise<ChildProcess> {
    const holder = node.host.spawn([process.execPath, '--input-type=module', '--eval', holderOf(ports)]);
    holders.add(holder);
    await once(holder.stdout, 'data');
    return holder;
  }

  async function release(holder: ChildProcess): Promise<void> {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    holders.delete(holder);
  }

  const conflicts = (): Promise<string> =>
    node.status('{range .status.dataplane.portConflicts[*]}{.namespace}/{.name} {.port}/{.protocol}{"\\n"}{end}');
  const condition = (field: string): Promise<string> =>
    node.status(`{.status.conditions[?(@.type=="NodePorts")].${field}}`);
  const metrics = async (): Promise<string[]> =>
    (await node.host.get(10_249, '/metrics')).body.split('\n').filter((line) => line.includes('port_conflicts{'));
  const timesLogged = (words: string): number => node.agent.log().split(words).length - 1;

  async function untilPrinted(what: string, isSo: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const started = performance.now();
    await until(what, isSo, timeoutMs).catch((cause: unknown) => {
      throw new Error(node.agent.log().slice(-3000), { cause });
    });
    process.stdout.write(`${what} after ${Math.round(performance.now() - started)} ms\n`);
  }

  test('serves NodePorts all the same, of both families and protocols, and says who is not reached there', async () => {
    const holder = await hold(held);
    await node.host.apply(...held.flatMap((each) => [serviceOn(each), sliceOf(each)]).map(withoutIdentity));
    const all = held.map(({ name, port, protocol }) => `default/${name} ${port}/${protocol}`);
    await untilPrinted('conflicts are shown', async () => (await conflicts()).trim() === all.join('\n'), maxShownMs);
    expect(await condition('reason')).toBe('PortInUse');
    expect(await condition('message')).toBe(
      'Other programs on this node listen on ports of Services: default/tcp-four 30181/TCP, default/tcp-six 30182/TCP and 2 more. NodePorts are served all the same, health checks are not.',
    );
    expect(await node.status('{.status.state}')).toBe('Ready');
    expect(await metrics()).toHaveLength(4);
    expect(await metrics()).toContain(
      'proxyconfig_port_conflicts{namespace="default",service="tcp-four",port="30181",protocol="TCP"} 1',
    );
    await node.underTraffic(async () => {
      const ask = 'head -c6 < /dev/tcp/192.168.0.1/30181';
      const answer = await node.host.run(['timeout', '5', 'bash', '--norc', '-c', ask]);
      expect(answer).not.toBe('');
      expect(answer).not.toContain('holder');
    }, fewConnections);
    await release(holder);
    await untilPrinted('conflicts are over', async () => (await condition('reason')) === '', maxOverMs);
    expect(await conflicts()).toBe('');
    expect(await metrics()).toEqual([]);
  }, 300_000);

  test('warns once of a health-check node port that is held, and answers on it when it is free', async () => {
    const words = 'cannot listen on a health-check node port';
    const port = { protocol: 'TCP', host: '0.0.0.0', port: healthCheckNodePort } as const;
    const holder = await hold([port]);
    await node.host.apply(balanced);
    // Meanwhile it was tried every 2 s.
    await untilPrinted('it is shown', async () => (await conflicts()).includes('balanced'), maxShownMs);
    await until('it is tried again', async () => (await condition('message')).includes('(health check)'));
    expect(timesLogged(words)).toBe(1);
    await release(holder);
    const isAnswered = async (): Promise<boolean> =>
      (await node.host.get(healthCheckNodePort, '/').catch(() => ({ status: 0 }))).status === 503;
    await untilPrinted('it is answered', isAnswered, 6000);
    expect(timesLogged(words)).toBe(1);
    await untilPrinted('it is shown no more', async () => (await condition('reason')) === '', maxOverMs);
  }, 300_000);
});
