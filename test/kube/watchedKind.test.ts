import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { WatchedKind } from '../../src/kube/watchedKind.ts';
import { type ApiServer, startApiServer } from '../cluster/apiServer.ts';
import { describeWhere } from '../support/requirements.ts';
import { until } from '../support/until.ts';

const ours = ['/apis/proxyconfig.dev/v1alpha1/proxyconfigs', '/apis/proxyconfig.dev/v1alpha1/nodeproxies'];
const none = { fieldSelector: 'metadata.name=none' };

describeWhere(['cluster'], 'WatchedKind, against a real API server', () => {
  let server: ApiServer;
  let client: KubeClient;

  const isServed = (path: string): Promise<boolean> =>
    client.get(path, none).then(
      () => true,
      () => false,
    );

  beforeAll(async () => {
    server = await startApiServer();
    client = createKubeClient(loadKubeConfig({ kubeconfig: server.kubeconfig }));
    await server.kubectl(['apply', '-k', 'crds']);
    await Promise.all(ours.map((path) => until(`${path} is served`, () => isServed(path), 60_000)));
  }, 120_000);
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  test.each([
    '/api/v1/services',
    '/api/v1/nodes',
    '/api/v1/pods',
    '/api/v1/namespaces/kube-system/pods',
    '/apis/discovery.k8s.io/v1/endpointslices',
    '/apis/apps/v1/namespaces/default/controllerrevisions',
    '/apis/coordination.k8s.io/v1/namespaces/default/leases',
    ...ours,
  ])('an empty list of %s is a list, and its bookmark an event, of the kind that the path names', async (path) => {
    const kind = new WatchedKind(path);
    const items: unknown[] = [];
    const page = kind.page(await client.list(path, none, { onItem: (item) => items.push(item) }));
    expect({ isVersion: /^\d+$/.test(page.resourceVersion), items }).toEqual({ isVersion: true, items: [] });
    const initialEvents = { sendInitialEvents: true, resourceVersion: '', resourceVersionMatch: 'NotOlderThan' };
    const query = { ...none, ...initialEvents, allowWatchBookmarks: true, timeoutSeconds: 30 };
    const stop = new AbortController();
    for await (const event of client.watch(path, query, stop.signal)) {
      expect(kind.bookmarkedVersion(event)).toMatch(/^\d+$/);
      expect(kind.objectOf(event)).toMatchObject({ metadata: {} });
      stop.abort();
    }
    expect(stop.signal.aborted).toBe(true);
  });
});
