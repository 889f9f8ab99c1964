/**
 * What `proxyconfig status` keeps of the objects that it watches.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createStatusSource } from '../../src/cli/status/source.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { ListWatchServer } from '../kube/listWatchServer.ts';
import { until } from '../support/until.ts';

let server: ListWatchServer;
let client: KubeClient;

beforeEach(async () => {
  server = new ListWatchServer({ apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'ProxyConfig' });
  client = createKubeClient({ server: await server.start(), tls: {}, token: () => undefined });
});

afterEach(async () => {
  await client.close();
  await server.stop();
});

describe('createStatusSource', () => {
  test('keeps neither annotations nor managedFields', async () => {
    const identity = { name: 'all', uid: 'uid', generation: 1, resourceVersion: '1' };
    const metadata = {
      ...identity,
      annotations: { notes: 'x'.repeat(250_000) },
      managedFields: [{ manager: 'kubectl' }],
    };
    server.strayItems.push({ metadata, spec: { mode: 'ipvs' } });
    const source = createStatusSource(client, {
      onChange: () => undefined,
      onError: () => undefined,
      onRecovered: () => undefined,
    });
    source.start();
    await until('the ProxyConfig is known', () => [...source.objects().configs].length === 1);
    expect([...source.objects().configs]).toEqual([{ metadata: identity, spec: { mode: 'ipvs' } }]);
    await source.stop();
  });
});
