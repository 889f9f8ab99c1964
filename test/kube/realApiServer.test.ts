import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import {
  ApiError,
  errorFromStatus,
  isAlreadyExists,
  isConflict,
  isFieldManagerConflict,
  isForbidden,
  isGone,
  isNotFound,
  isUnauthorized,
  isUnreachable,
} from '../../src/kube/apiError.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { createEventRecorder } from '../../src/kube/events.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { createReflector, type Reflector } from '../../src/kube/reflector.ts';
import { createStatusWriter } from '../../src/kube/statusWriter.ts';
import { type ApiServer, startApiServer } from '../cluster/apiServer.ts';
import { describeWhere } from '../support/requirements.ts';
import { annotate } from './lateWrites.ts';
import { until } from '../support/until.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';
const nodeProxies = '/apis/proxyconfig.dev/v1alpha1/nodeproxies';

interface ConfigMap {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data?: { readonly value?: string };
}

const body = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels: { test: 'reflector' } },
  data: { value },
});

async function using<T>(other: KubeClient, use: (client: KubeClient) => Promise<T>): Promise<T> {
  try {
    return await use(other);
  } finally {
    await other.close();
  }
}

describeWhere(['cluster'], 'kube, against a real API server', () => {
  let server: ApiServer;
  let client: KubeClient;
  let reflector: Reflector | undefined;
  let copy: Map<string, string | undefined>;
  let errors: unknown[];

  beforeAll(async () => {
    server = await startApiServer();
    client = createKubeClient(loadKubeConfig({ kubeconfig: server.kubeconfig }));
    await server.kubectl(['apply', '-k', 'crds']);
    await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
  }, 120_000);
  afterEach(() => reflector?.stop());
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  function follow(): Reflector {
    copy = new Map();
    errors = [];
    reflector = createReflector<ConfigMap>({
      client,
      path: configMaps,
      query: { labelSelector: 'test=reflector' },
      decode: (object) => object as ConfigMap,
      handler: {
        onAdd: ({ key }, { data }) => copy.set(key, data?.value),
        onUpdate: ({ key }, { data }) => copy.set(key, data?.value),
        onDelete: ({ key }) => copy.delete(key),
      },
      onError: (error) => errors.push(error),
      timing: { pageSize: 3 },
    });
    reflector.start();
    return reflector;
  }

  const create = (name: string, value: string): Promise<unknown> =>
    client.send('POST', configMaps, { body: body(name, value) });

  test('lists by pages, follows, and catches up with what happened while the server was away', async () => {
    for (let index = 0; index < 8; index += 1) await create(`listed-${index}`, 'first');
    await follow().synced;
    expect(copy.size).toBe(8);

    await create('watched', 'first');
    await client.send('PUT', `${configMaps}/listed-0`, { body: body('listed-0', 'second') });
    await client.send('DELETE', `${configMaps}/listed-1`);
    await until(
      'the watch brought all three',
      () =>
        copy.get('default/watched') === 'first' &&
        copy.get('default/listed-0') === 'second' &&
        !copy.has('default/listed-1'),
    );

    await server.stopServer();
    await until('it has noticed', () => errors.some(isUnreachable));
    expect(copy.size).toBe(8);
    await server.startServer();
    await client.send('DELETE', `${configMaps}/listed-2`);
    await until('the watch is back', () => !copy.has('default/listed-2'), 30_000);
  }, 60_000);

  const failures: { name: string; cause: () => Promise<unknown>; is: (error: unknown) => boolean }[] = [
    { name: 'not found', cause: () => client.get(`${configMaps}/none`), is: isNotFound },
    { name: 'a kind that is not served', cause: () => client.get('/apis/nowhere.dev/v1/things'), is: isNotFound },
    {
      name: 'already there',
      cause: () => client.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } }),
      is: isAlreadyExists,
    },
    {
      name: 'invalid',
      cause: () => client.send('POST', configMaps, { body: { metadata: { name: 'Not A Name' } } }),
      is: (error) => error instanceof ApiError && error.status === 422,
    },
    {
      name: 'a conflict',
      cause: () =>
        client.send('PATCH', '/api/v1/namespaces/default', {
          contentType: 'application/merge-patch+json',
          body: { metadata: { resourceVersion: '1', labels: { a: 'b' } } },
        }),
      is: isConflict,
    },
    {
      name: 'a conflict of field managers, which is none',
      cause: async () => {
        await apply('one', 'a', true);
        await apply('other', 'b', undefined);
      },
      is: (error) => isFieldManagerConflict(error) && !isConflict(error),
    },
    { name: 'a resourceVersion that is too old', cause: () => firstError(configMaps), is: isGone },
    { name: 'a user that may not', cause: () => as('nobody', (other) => other.get('/api/v1/nodes')), is: isForbidden },
    {
      name: 'a token that is wrong',
      cause: () => withToken('wrong', (other) => other.get('/api/v1/nodes')),
      is: isUnauthorized,
    },
    { name: 'a server that is not there', cause: () => elsewhere((other) => other.get('/api')), is: isUnreachable },
  ];
  test.each(failures)('an error is known for what it is: $name', async ({ cause, is }) => {
    const error: unknown = await cause().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'ApiError' });
    if (!is(error)) throw new Error('taken for another error', { cause: error });
  });

  function apply(fieldManager: string, value: string, force: boolean | undefined): Promise<unknown> {
    return client.send('PATCH', `${configMaps}/managed`, {
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager, force },
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'managed' }, data: { value } },
    });
  }

  async function firstError(path: string): Promise<void> {
    for await (const { type, object } of client.watch(path, { resourceVersion: 1 }, AbortSignal.timeout(10_000))) {
      if (type === 'ERROR') throw errorFromStatus(object, 0);
    }
  }

  async function as<T>(user: string, use: (client: KubeClient) => Promise<T>): Promise<T> {
    return using(createKubeClient(loadKubeConfig({ kubeconfig: await server.kubeconfigFor(user) })), use);
  }

  function withToken<T>(token: string, use: (client: KubeClient) => Promise<T>): Promise<T> {
    const { server: url, tls } = loadKubeConfig({ kubeconfig: server.kubeconfig });
    return using(createKubeClient({ server: url, tls: { ca: tls.ca }, token: () => token }), use);
  }

  function elsewhere<T>(use: (client: KubeClient) => Promise<T>): Promise<T> {
    return using(
      createKubeClient(loadKubeConfig({ kubeconfig: server.kubeconfig, server: 'https://127.0.0.1:1' })),
      use,
    );
  }

  test('a status is applied to its subresource, and nothing else of the object is touched', async () => {
    const spec = { configRef: { name: 'default', uid: 'u', generation: 1 }, revision: 'r1' };
    await client.send('POST', nodeProxies, {
      body: { apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy', metadata: { name: 'node-1' }, spec },
    });
    const writer = createStatusWriter({
      client,
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'NodeProxy',
      name: 'node-1',
      path: `${nodeProxies}/node-1`,
      fieldManager: 'test',
      intervalMs: 10_000,
    });
    writer.write({
      observedGeneration: 1,
      state: 'Ready',
      dataplane: { services: 3, lastError: 'gone with the next write' },
    });
    await writer.stop();
    const next = createStatusWriter({
      client,
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'NodeProxy',
      name: 'node-1',
      path: `${nodeProxies}/node-1`,
      fieldManager: 'test',
      intervalMs: 10_000,
    });
    next.write({ observedGeneration: 1, state: 'Ready', dataplane: { services: 4 } });
    await next.stop();
    expect(await client.get(`${nodeProxies}/node-1`)).toMatchObject({
      metadata: { generation: 1 },
      spec,
      status: { state: 'Ready', dataplane: { services: 4 } },
    });
    expect(JSON.stringify(await client.get(`${nodeProxies}/node-1`))).not.toContain('"lastError":"gone');
  });

  test('a status is written while somebody else writes the object all the time', async () => {
    const spec = { configRef: { name: 'default', uid: 'u', generation: 1 }, revision: 'r1' };
    const path = `${nodeProxies}/contested`;
    await client.send('POST', nodeProxies, {
      body: { apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy', metadata: { name: 'contested' }, spec },
    });
    const failed: unknown[] = [];
    const writer = createStatusWriter({
      client,
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'NodeProxy',
      name: 'contested',
      path,
      fieldManager: 'test',
      intervalMs: 0,
      onError: (error) => failed.push(error),
    });
    const enough = new AbortController();
    const writeAlways = async (): Promise<void> => {
      while (!enough.signal.aborted) await annotate(client, path);
    };
    const others = [writeAlways(), writeAlways()];
    for (let services = 1; services <= 20; services += 1) {
      writer.write({ observedGeneration: 1, state: 'Ready', dataplane: { services } }, { urgent: true });
      await until(`status ${services} is there`, async () => {
        const { status } = await client.get<NodeProxy>(path);
        return status?.dataplane?.services === services;
      });
    }
    enough.abort();
    await Promise.all(others);
    await writer.stop();
    expect(failed).toEqual([]);
  });

  test('an event is created once, however often it is recorded', async () => {
    const lost: unknown[] = [];
    const recorder = createEventRecorder({
      client,
      controller: 'proxyconfig.dev/test',
      instance: 'test-1',
      onError: (error) => lost.push(error),
    });
    const regarding = { apiVersion: 'v1', kind: 'Namespace', name: 'default' };
    for (let index = 0; index < 3; index += 1)
      await recorder.record({ regarding, type: 'Warning', reason: 'Tested', action: 'Test', note: 'it was tested' });
    await recorder.record({ regarding, type: 'Warning', reason: 'Tested', action: 'Test', note: 'x'.repeat(5000) });
    expect(lost).toEqual([]);
    const { items } = await client.get<{ items: { note: string }[] }>(
      '/apis/events.k8s.io/v1/namespaces/default/events',
      { fieldSelector: 'reason=Tested' },
    );
    expect(items.map(({ note }) => note.length).sort((one, other) => one - other)).toEqual([13, 1024]);
  });
});
