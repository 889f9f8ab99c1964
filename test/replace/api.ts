/**
 * The API server of a node whose agent is replaced: the real one, or in a kernel that is too slow for that the server
 * of objects of the other checks there.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeProxyResource } from '../../src/api/resources.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { startApiServer } from '../cluster/apiServer.ts';
import { until } from '../support/until.ts';
import { type KubeObject, ObjectServer } from '../uml/objectServer.ts';

export interface Api {
  readonly kubeconfig: string;
  /** Makes or changes the object, its status too. */
  put(object: KubeObject): Promise<void>;
  delete(object: KubeObject): Promise<void>;
  get(object: KubeObject): Promise<object>;
  /** Nobody is answered, and connections are cut. The objects stay. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

/** etcd and kube-apiserver, in the network namespace of this process. */
export async function startRealApi(): Promise<Api> {
  const server = await startApiServer();
  const client = createKubeClient(loadKubeConfig({ kubeconfig: server.kubeconfig }));
  const crd = join(import.meta.dirname, '..', '..', 'crds', 'nodeproxies.yaml');
  const kubectl = async (...args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await server.kubectl(args);
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  };
  const apply = (path: string, body: object): Promise<unknown> =>
    client.send('PATCH', path, {
      body,
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager: 'replace', force: true },
    });
  const mergeStatus = (path: string, body: object): Promise<unknown> =>
    client.send('PATCH', path, { body, contentType: 'application/merge-patch+json' });
  const api: Api = {
    kubeconfig: server.kubeconfig,
    put: async (object) => {
      const { status: _separate, ...rest } = object as KubeObject & { status?: unknown };
      await apply(pathOf(object), rest);
      // Applied, a dual-stack Node's addresses would be refused: both are of one type, which is the list's key.
      if ('status' in object) await mergeStatus(`${pathOf(object)}/status`, { status: object.status });
    },
    delete: async (object) => void (await client.send('DELETE', pathOf(object))),
    get: (object) => client.get<object>(pathOf(object)),
    goAway: () => server.stopServer(),
    comeBack: () => server.startServer(),
    stop: async () => {
      await client.close();
      await server.stop();
    },
  };
  await kubectl('apply', '--server-side', '-f', crd);
  await kubectl(
    'wait',
    '--for=condition=Established',
    '--timeout=30s',
    `crd/${nodeProxyResource.plural}.${nodeProxyResource.group}`,
  );
  // The server makes it by itself, and each build must be asked for the same Services.
  const isThere = (): Promise<boolean> =>
    client.get('/api/v1/namespaces/default/services/kubernetes').then(
      () => true,
      () => false,
    );
  await until('the Service kubernetes is there', isThere, 30_000);
  return api;
}

const collections: Readonly<Record<string, string>> = {
  Node: '/api/v1/nodes',
  Service: '/api/v1/namespaces/default/services',
  EndpointSlice: '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
  NodeProxy: nodeProxyResource.path,
};

function pathOf({ kind, metadata: { name } }: KubeObject): string {
  return `${collections[kind]}/${name}`;
}

const port = 8001;

/** `directory`: for its kubeconfig. */
export async function startObjectApi(directory: string): Promise<Api> {
  const server = new ObjectServer();
  const comeBack = (): Promise<void> => server.start('127.0.0.1', port);
  await comeBack();
  const kubeconfig = join(directory, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText());
  return {
    kubeconfig,
    put: (object) => Promise.resolve(server.put(object)),
    delete: (object) => Promise.resolve(server.delete(object)),
    get: (object) => Promise.resolve(server.get(object) ?? {}),
    goAway: () => Promise.resolve(server.stop()),
    comeBack,
    stop: () => Promise.resolve(server.stop()),
  };
}

function kubeconfigText(): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'replace', cluster: { server: `http://127.0.0.1:${port}` } }],
    contexts: [{ name: 'replace', context: { cluster: 'replace', user: '' } }],
    'current-context': 'replace',
  });
}
