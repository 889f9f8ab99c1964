/**
 * Runs inside the kernel under test: both proxies in mode ipvs, by turns, each on a fresh node and from the same server
 * of objects. Prints a line of JSON for each.
 *   node ipvsInKernel.ts TASK.json
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { waitFor } from '../support/waitFor.ts';
import type { KubeObject } from '../uml/objectServer.ts';
import { ObjectServer } from '../uml/objectServer.ts';
import type { IpvsMeasures, IpvsTask } from './ipvs.ts';
import { BenchNode, nodeAddresses, prepareNetwork, serverAddress } from './node.ts';
import { clusterIP, endpointAddress, nodeProxyOf, servicePort, serviceOf, sliceOf } from './objects.ts';
import { cpuSeconds } from './processTree.ts';
import { type Programs, type Proxy, startProxy } from './proxies.ts';
import { median } from './statistics.ts';
import type { SideName } from './ground.ts';

const contest = { config: { mode: 'ipvs' }, kubeProxyFlags: ['--proxy-mode=ipvs'] };
const sides: readonly SideName[] = ['kube-proxy', 'ours'];
const serverPort = 8001;
const longestSyncMs = 3_600_000;
/** Where everybody may write; a node's own mounts hide /run. */
const directory = '/mnt';

const { services, repetitions, changes, product, kubeProxy, probe } = JSON.parse(
  await readFile(process.argv[2] ?? '', 'utf8'),
) as IpvsTask;

await promisify(execFile)('mount', ['-t', 'tmpfs', 'none', directory]);
await prepareNetwork();
const server = new ObjectServer();
await server.start(serverAddress, serverPort);
server.replace(allObjects());
const kubeconfig = join(directory, 'kubeconfig');
await writeFile(kubeconfig, kubeconfigText());
const programs: Programs = { product, kubeProxy, server: { kubeconfig } };

for (let repetition = 0; repetition < repetitions; repetition += 1) {
  for (const side of repetition % 2 === 0 ? sides : sides.toReversed()) {
    const measures = await measure(side);
    process.stdout.write(`${JSON.stringify({ side, measures })}\n`);
  }
}
server.stop();

function allObjects(): readonly KubeObject[] {
  const addresses = Object.values(nodeAddresses).map((address) => ({ type: 'InternalIP', address }));
  const nodes = sides.map((name) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { podCIDRs: ['10.244.255.0/24'], podCIDR: '10.244.255.0/24' },
    status: { addresses },
  }));
  const numbers = Array.from({ length: services }, (_, index) => index);
  return [
    ...nodes,
    nodeProxyOf(contest.config),
    ...numbers.map((index) => sliceOf(index)),
    ...numbers.map((index) => serviceWithDefaults(index)),
  ];
}

/** With what an API server would have added. */
function serviceWithDefaults(index: number): KubeObject {
  const service = serviceOf(index);
  const spec = {
    type: 'ClusterIP',
    clusterIPs: [clusterIP(index)],
    ipFamilies: ['IPv4'],
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
  };
  return { ...service, spec: { ...spec, ...service.spec } } as KubeObject;
}

async function measure(side: SideName): Promise<IpvsMeasures> {
  const node = await BenchNode.start('nft', { directory, probe });
  const started = performance.now();
  const proxy = startProxy(side, contest, programs, node);
  try {
    await waitFor(`${side} syncs`, () => hasRules(node), { timeoutMs: longestSyncMs, everyMs: 200 });
    const cold = performance.now() - started;
    const cpuCold = cpuSeconds(proxy.pid);
    await expectEverything(side, node);
    return { cold, cpuCold: cpuCold * 1000, ...(await change(proxy, node)) };
  } finally {
    await proxy.end();
    await node.stop();
  }
}

/** The rules that ask the sets come last on either side. */
async function hasRules(node: BenchNode): Promise<boolean> {
  return (await node.run(['iptables-nft-save', '-t', 'nat'])).includes('--match-set KUBE-CLUSTER-IP');
}

/** That nobody wins by leaving something out. */
async function expectEverything(side: SideName, node: BenchNode): Promise<void> {
  const servers = await node.run(['ipvsadm', '-Sn']);
  const addresses = await node.run(['ip', '-4', '-o', 'addr', 'show', 'kube-ipvs0']);
  const set = await node.run(['ipset', 'save', 'KUBE-CLUSTER-IP']);
  const found = [servers.match(/^-A/gm), servers.match(/^-a/gm), addresses.match(/^/gm), set.match(/^add/gm)].map(
    (lines) => lines?.length ?? 0,
  );
  const wanted = [services, 3 * services, services, services];
  if (found.some((count, index) => count < (wanted[index] ?? 0)))
    throw new Error(
      `${side} has ${found.join(', ')} virtual servers, real servers, addresses and entries instead of ${wanted.join(', ')}`,
    );
}

async function change(proxy: Proxy, node: BenchNode): Promise<Pick<IpvsMeasures, 'change' | 'cpuPerChange'>> {
  const times: number[] = [];
  const cpu: number[] = [];
  for (let index = 0; index < changes; index += 1) {
    const service = Math.floor((index * services) / changes);
    const address = `10.244.250.${1 + (index % 200)}`;
    await calm(proxy);
    const before = cpuSeconds(proxy.pid);
    const written = performance.now();
    server.put(sliceOf(service, { last: address }));
    times.push((await node.until(clusterIP(service), servicePort, address, longestSyncMs)) - written);
    await calm(proxy);
    cpu.push((cpuSeconds(proxy.pid) - before) * 1000);
    server.put(sliceOf(service));
    await node.until(clusterIP(service), servicePort, endpointAddress(service, 2), longestSyncMs);
  }
  return { change: median(times), cpuPerChange: median(cpu) };
}

/**
 * More than kube-proxy's shortest time between two syncs, and then until it rests: a sync goes on when what was asked
 * for is there.
 */
async function calm(proxy: Proxy): Promise<void> {
  await sleep(1300);
  await proxy.settled();
}

function kubeconfigText(): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bench', cluster: { server: `http://${serverAddress}:${serverPort}` } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: '' } }],
    'current-context': 'bench',
  });
}
