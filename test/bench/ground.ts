/**
 * What all benchmarks stand on: a real API server with many Services, the bundle of the product as its image holds it,
 * and the real kube-proxy.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { bundle } from '../../.ci/build.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { type ApiServer, startApiServer } from '../cluster/apiServer.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { nodeAddresses, prepareNetwork, serverAddress, type Tools } from './node.ts';
import {
  clusterIP,
  endpointAddress,
  namespace,
  nodeProxyOf,
  serviceName,
  serviceOf,
  type SliceShape,
  sliceOf,
  usualEndpoints,
} from './objects.ts';

export type SideName = 'ours' | 'kube-proxy';

export interface Ground extends Tools {
  readonly server: ApiServer;
  readonly client: KubeClient;
  /** The image's ENV and ENTRYPOINT, with this machine's paths. */
  readonly product: readonly string[];
  readonly kubeProxy: string;
  readonly progress: (line: string) => void;
  /** A file with the addresses of so many Services, one per line. */
  addressesFile(first: number, count: number): Promise<string>;
  /** A file with an endpoint's address: a connection to it goes past all Services. */
  endpointsFile(): Promise<string>;
  /** Sees to it that there are as many Services; there are never fewer again. */
  populate(services: number): Promise<void>;
  /** Gives each of them, and of those that come, so many endpoints. */
  giveEndpoints(endpoints: number): Promise<void>;
  /** Of each Service. */
  endpoints(): number;
  stop(): Promise<void>;
}

const root = join(import.meta.dirname, '..', '..');
const atOnce = 48;

/** `endpoints`: of each Service. */
export async function prepareGround(
  directory: string,
  progress: (line: string) => void,
  endpoints = usualEndpoints,
): Promise<Ground> {
  await prepareNetwork();
  const programs = await preparePrograms(directory, progress);
  const server = await startApiServer({
    address: serverAddress,
    progress,
    apiServerArguments: ['--max-mutating-requests-inflight=400'],
  });
  const client = createKubeClient(loadKubeConfig({ kubeconfig: server.kubeconfig }));
  await prepareObjects(server, client);
  let populated = 0;
  let each = endpoints;
  return {
    ...programs,
    server,
    client,
    directory,
    progress,
    addressesFile: async (first, count) => {
      const file = join(directory, `addresses-${first}-${count}`);
      await writeFile(file, Array.from({ length: count }, (_, index) => `${clusterIP(first + index)}\n`).join(''));
      return file;
    },
    endpointsFile: async () => {
      const file = join(directory, 'endpoints');
      await writeFile(file, `${endpointAddress(0, 0)}\n`);
      return file;
    },
    populate: async (services) => {
      await inParallel(populated, services, (index) => createService(client, index, each), progress);
      populated = Math.max(populated, services);
    },
    giveEndpoints: async (wanted) => {
      if (wanted !== each)
        await inParallel(0, populated, (index) => patchSlice(client, index, { endpoints: wanted }), progress);
      each = wanted;
    },
    endpoints: () => each,
    stop: async () => {
      await client.close();
      await server.stop();
    },
  };
}

/** Built in the directory. */
export async function preparePrograms(
  directory: string,
  progress: (line: string) => void,
): Promise<Pick<Ground, 'product' | 'kubeProxy' | 'probe'>> {
  const { 'kube-proxy': kubeProxy } = await ensureBinaries({ which: ['kube-proxy'], progress });
  progress('building the product');
  const dist = join(directory, 'dist');
  await bundle(dist);
  const probe = join(directory, 'probe');
  await promisify(execFile)('gcc', ['-O2', '-pthread', '-o', probe, join(import.meta.dirname, 'probe.c')]);
  return { product: productCommand(root, dist), kubeProxy, probe };
}

/** How the image of a tree starts the product, with the Node of that tree and the bundle in `dist`. */
export function productCommand(tree: string, dist: string): readonly string[] {
  const dockerfile = readFileSync(join(tree, 'Dockerfile'), 'utf8');
  const entrypoint = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  const ours: Readonly<Record<string, string>> = {
    node: join(tree, 'node_modules', '.bin', 'node'),
    'proxyconfig.js': join(dist, 'proxyconfig.js'),
  };
  const environment = [...dockerfile.matchAll(/^ENV (.*)$/gm)].map(([, words = '']) => words);
  return ['/usr/bin/env', ...environment, ...entrypoint.map((word) => ours[basename(word)] ?? word)];
}

async function prepareObjects(server: ApiServer, client: KubeClient): Promise<void> {
  const { exitCode, stderr } = await server.kubectl([
    'apply',
    '--server-side',
    '-f',
    join(root, 'crds', 'nodeproxies.yaml'),
  ]);
  if (exitCode !== 0) throw new Error(`the CRD could not be made: ${stderr}`);
  await server.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd/nodeproxies.proxyconfig.dev']);
  await client.send('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  for (const name of ['ours', 'kube-proxy'] satisfies SideName[]) {
    await client.send('POST', '/api/v1/nodes', {
      body: { metadata: { name }, spec: { podCIDRs: ['10.244.255.0/24'], podCIDR: '10.244.255.0/24' } },
    });
    const addresses = Object.values(nodeAddresses).map((address) => ({ type: 'InternalIP', address }));
    const patch = { body: { status: { addresses } }, contentType: 'application/merge-patch+json' };
    await client.send('PATCH', `/api/v1/nodes/${name}/status`, patch);
  }
}

/** What the agent on the node `ours` is to run. */
export async function writeNodeProxy({ client }: Ground, config: object): Promise<void> {
  const path = '/apis/proxyconfig.dev/v1alpha1/nodeproxies/ours';
  await client.send('PATCH', path, {
    body: nodeProxyOf(config),
    contentType: 'application/apply-patch+yaml',
    query: { fieldManager: 'bench', force: true },
  });
}

export async function createService(client: KubeClient, index: number, endpoints: number): Promise<void> {
  await Promise.all([
    client.send('POST', `/api/v1/namespaces/${namespace}/services`, { body: serviceOf(index) }),
    client.send('POST', slicesPath, { body: sliceOf(index, { endpoints }) }),
  ]);
}

export async function deleteService(client: KubeClient, index: number): Promise<void> {
  const name = serviceName(index);
  await client.send('DELETE', `/api/v1/namespaces/${namespace}/services/${name}`);
  await client.send('DELETE', `${slicesPath}/${name}-1`);
}

/** Moves the Service's last endpoint to an address, or back. */
export async function moveEndpoint(ground: Ground, index: number, address?: string): Promise<void> {
  await patchSlice(ground.client, index, { endpoints: ground.endpoints(), last: address });
}

async function patchSlice(client: KubeClient, index: number, shape: SliceShape): Promise<void> {
  await client.send('PATCH', `${slicesPath}/${serviceName(index)}-1`, {
    body: { endpoints: sliceOf(index, shape).endpoints },
    contentType: 'application/merge-patch+json',
  });
}

const slicesPath = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;

async function inParallel(
  from: number,
  to: number,
  work: (index: number) => Promise<void>,
  progress: (line: string) => void,
): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      next += 1;
      if (next % 1000 === 0) progress(`${next} of ${to} Services are written`);
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
