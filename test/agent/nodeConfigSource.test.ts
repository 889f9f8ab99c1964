import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createNodeConfigSource, type NodeConfigSource } from '../../src/agent/watch/nodeConfigSource.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { ListWatchServer } from '../kube/listWatchServer.ts';
import { until } from '../support/until.ts';

let server: ListWatchServer;
let client: KubeClient;
let source: NodeConfigSource;
let generations: (number | undefined)[];

beforeEach(async () => {
  server = new ListWatchServer({ apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy' });
  client = createKubeClient({ server: await server.start(), tls: {}, token: () => undefined });
  generations = [];
  source = createNodeConfigSource({
    client,
    nodeName: 'node-1',
    onChange: ({ metadata }: NodeProxy) => generations.push(metadata.generation),
    onError: () => undefined,
    timing: { retryMinMs: 10, retryMaxMs: 20, reconnectMaxMs: 20 },
  });
});
afterEach(async () => {
  await source.stop();
  await client.close();
  await server.stop();
});

const outcome = (waitMs: number, orAbsent = false): Promise<string> =>
  Promise.race([
    source.first({ waitMs, orAbsent }).then(() => 'decided'),
    new Promise<string>((resolve) => setTimeout(() => resolve('still waiting'), 500)),
  ]);

describe('NodeConfigSource', () => {
  test("lists this node's NodeProxy alone", async () => {
    source.start();
    await until('it has listed', () => server.requests.length > 0);
    expect(server.requests[0]?.searchParams.get('fieldSelector')).toBe('metadata.name=node-1');
  });

  test.each([
    {
      name: 'there is one',
      prepare: () => server.put('node-1', '', { generation: 1 }),
      waitMs: 60_000,
      expected: 'decided',
    },
    {
      name: 'the kind is not served',
      prepare: () => server.listFaults.push({ status: 404, reason: 'NotFound' }),
      waitMs: 60_000,
      expected: 'decided',
    },
    {
      name: 'the agent may not read it',
      prepare: () => server.listFaults.push({ status: 403, reason: 'Forbidden' }),
      waitMs: 60_000,
      expected: 'decided',
    },
    { name: 'there is none yet', prepare: () => undefined, waitMs: 60_000, expected: 'still waiting' },
    {
      name: 'there is none, and another configuration is at hand',
      prepare: () => undefined,
      waitMs: 60_000,
      orAbsent: true,
      expected: 'decided',
    },
    { name: 'there is none and the time is over', prepare: () => undefined, waitMs: 20, expected: 'decided' },
    {
      name: 'the server fails',
      prepare: () => server.listFaults.push({ status: 500 }),
      waitMs: 60_000,
      expected: 'still waiting',
    },
  ])('waits for the first NodeProxy, or does not: $name', async ({ prepare, waitMs, orAbsent, expected }) => {
    prepare();
    source.start();
    expect(await outcome(waitMs, orAbsent)).toBe(expected);
  });

  test('reports a new spec and a new object; no status and no deletion', async () => {
    source.start();
    await until('it watches', () => server.watching === 1);
    server.put('node-1', '', { generation: 1 });
    server.put('node-1', 'only the status', { generation: 1 });
    server.put('node-1', '', { generation: 2 });
    server.remove('node-1');
    server.put('node-1', '', { generation: 1, uid: 'another' });
    await until('all has been reported', () => generations.length === 3);
    expect(generations).toEqual([1, 2, 1]);
  });
});
