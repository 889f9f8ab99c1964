/**
 * Lists of a small HTTP server, page by page: how many are under way, and how large they are.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { listPages } from '../../src/kube/listPages.ts';
import { PageSize } from '../../src/kube/pageSize.ts';
import { keyOf, WatchedKind } from '../../src/kube/watchedKind.ts';
import { ListWatchServer } from './listWatchServer.ts';

const path = '/api/v1/configmaps';
let server: ListWatchServer;
let client: KubeClient;
let underWay = 0;
let maxUnderWay = 0;

beforeEach(async () => {
  server = new ListWatchServer();
  client = createKubeClient({ server: await server.start(), tls: {}, token: () => undefined });
  [underWay, maxUnderWay] = [0, 0];
});

afterEach(async () => {
  await client.close();
  await server.stop();
});

/** The client's, counted. */
async function list(...request: Parameters<KubeClient['list']>): Promise<unknown> {
  maxUnderWay = Math.max(maxUnderWay, (underWay += 1));
  return client.list(...request).finally(() => (underWay -= 1));
}

const read = (object: unknown): { key: string | undefined } => ({ key: keyOf(object) });

async function readAll(pageSize: PageSize): Promise<Set<string>> {
  const seen = new Set<string>();
  const { signal } = new AbortController();
  const kind = new WatchedKind(path);
  for await (const page of listPages({ client: { list }, path, query: {}, kind, pageSize, read, seen, signal }))
    expect(page.items.length).toBeGreaterThan(0);
  return seen;
}

const limits = (): number[] => server.requests.map((url) => Number(url.searchParams.get('limit')));

describe('listPages', () => {
  test('asks for a page when it has read the one before, and for fewer objects where these are large', async () => {
    for (let index = 0; index < 60; index += 1) server.put(`large-${100 + index}`, 'x'.repeat(400 * 1024));
    expect((await readAll(new PageSize(500))).size).toBe(60);
    expect({ maxUnderWay, limits: limits() }).toEqual({ maxUnderWay: 1, limits: [20, 10, 10, 10, 10] });
  });

  test('asks for as many as there may be where they are small', async () => {
    for (let index = 0; index < 1000; index += 1) server.put(`small-${index}`, 'x');
    expect((await readAll(new PageSize(500))).size).toBe(1000);
    expect(limits()).toEqual([20, 500, 500]);
  });

  test('asks for smaller pages after one that ended in the middle', async () => {
    for (let index = 0; index < 600; index += 1) server.put(`small-${index}`, 'x');
    const pageSize = new PageSize(500);
    const begun = Array.from({ length: 5 }, (_, index) => JSON.stringify({ metadata: { name: `small-${index}` } }));
    server.nextPageFault = { body: `{"kind":"ConfigMapList","apiVersion":"v1","items":[${begun.join(',')},` };
    await expect(readAll(pageSize)).rejects.toThrow();
    expect((await readAll(pageSize)).size).toBe(600);
    expect(limits()).toEqual([20, 500, 20, 250, 250, 250]);
  });
});
