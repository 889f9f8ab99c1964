import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { createReflector, type Reflector, type ReflectorTiming } from '../../src/kube/reflector.ts';
import { type Fault, ListWatchServer, type StoredObject } from './listWatchServer.ts';
import { until } from '../support/until.ts';

let server: ListWatchServer;
let client: KubeClient;
let reflector: Reflector | undefined;
let copy: Map<string, string>;
let calls: string[];
let errors: { error: unknown; retryInMs: number }[];

beforeEach(async () => {
  server = new ListWatchServer();
  client = createKubeClient(
    { server: await server.start(), tls: {}, token: () => 'secret' },
    { watchSilenceMs: 300, requestTimeoutMs: 1000 },
  );
  copy = new Map();
  calls = [];
  errors = [];
});

afterEach(async () => {
  await reflector?.stop();
  await client.close();
  await server.stop();
});

function record(call: string, key: string, data?: string): void {
  calls.push(`${call} ${key}`);
  if (data === undefined) copy.delete(key);
  else copy.set(key, data);
}

function start(timing: Partial<ReflectorTiming> = {}): Reflector {
  reflector = createReflector<string>({
    client,
    path: '/api/v1/configmaps',
    query: { labelSelector: '!hidden' },
    decode: (object) => readData(object as StoredObject),
    handler: {
      onAdd: ({ key }, data) => record('add', key, data),
      onUpdate: ({ key }, data) => record('update', key, data),
      onDelete: ({ key }) => record('delete', key),
    },
    onError: (error, retryInMs) => errors.push({ error, retryInMs }),
    timing: { retryMinMs: 10, retryMaxMs: 50, reconnectMaxMs: 50, ...timing },
  });
  reflector.start();
  return reflector;
}

function readData({ data }: StoredObject): string | undefined {
  if (data === 'unreadable') throw new Error('unreadable');
  return data === 'boring' ? undefined : data;
}

const watching = (): Promise<void> => until('a watch stands', () => server.watching === 1);
const holds = (expected: Record<string, string>): Promise<void> =>
  until(`the copy holds ${JSON.stringify(expected)}`, () => isDeepStrictEqual(Object.fromEntries(copy), expected));

// An etcd restored from a backup: the same name, uid and version, but another content.
function restore(): void {
  server.objects.set('a', {
    metadata: { name: 'a', namespace: 'ns', uid: 'uid-a', resourceVersion: '101' },
    data: 'restored',
  });
  server.objects.delete('b');
}

const goneEvent = {
  type: 'ERROR',
  object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' },
};

describe('Reflector', () => {
  describe('list and watch', () => {
    test('lists page by page, then follows the watch', async () => {
      server.pageSize = 2;
      for (const name of ['a', 'b', 'c', 'd', 'e']) server.put(name, name);
      await start().synced;
      expect([...copy.keys()]).toEqual(['ns/a', 'ns/b', 'ns/c', 'ns/d', 'ns/e']);
      expect(server.count('list')).toBe(3);

      await watching();
      server.put('f', 'new');
      server.put('a', 'changed');
      server.remove('b');
      await holds({ 'ns/a': 'changed', 'ns/c': 'c', 'ns/d': 'd', 'ns/e': 'e', 'ns/f': 'new' });
      const watch = server.requests.at(-1);
      expect(Object.fromEntries(watch?.searchParams ?? [])).toMatchObject({
        labelSelector: '!hidden',
        allowWatchBookmarks: 'true',
        resourceVersion: '105',
      });
      expect(Number(watch?.searchParams.get('timeoutSeconds'))).toBeGreaterThan(260);
      expect(Number(watch?.searchParams.get('timeoutSeconds'))).toBeLessThanOrEqual(300);
    });

    test('an object that loses its interest is deleted, an unreadable one stops nobody', async () => {
      server.put('a', 'a');
      server.put('bad', 'unreadable');
      await start().synced;
      await watching();
      server.put('a', 'boring');
      server.put('b', 'b');
      await holds({ 'ns/b': 'b' });
      expect(calls).toEqual(['add ns/a', 'delete ns/a', 'add ns/b']);
      expect(errors.map(({ error }) => String(error))).toEqual(['Error: unreadable']);
    });

    test('resumes a watch where its last event or bookmark was, without a new list', async () => {
      await start().synced;
      await watching();
      server.put('a', 'a');
      await holds({ 'ns/a': 'a' });
      server.bookmark(250);
      server.resourceVersion = 250;
      await until('the bookmark has arrived', () => server.watching === 1);
      server.put('b', 'b');
      await holds({ 'ns/a': 'a', 'ns/b': 'b' });
      server.endWatches('closed');
      await until('a second watch', () => server.count('watch') === 2);
      expect(server.requests.at(-1)?.searchParams.get('resourceVersion')).toBe('251');
      expect(server.count('list')).toBe(1);
    });
  });

  describe('faults of a list', () => {
    const cases: { name: string; fault: Fault; waitsAtLeastMs?: number }[] = [
      { name: 'refused with 500', fault: { status: 500 } },
      {
        name: 'refused with 429 and Retry-After',
        fault: { status: 429, reason: 'TooManyRequests', retryAfter: 1 },
        waitsAtLeastMs: 1000,
      },
      { name: 'connection cut', fault: { cut: true } },
      { name: 'no answer at all', fault: { hang: true } },
      { name: '410 in the middle of paging', fault: { status: 410, reason: 'Expired' } },
    ];
    test.each(cases)('$name: nothing is deleted, and the list starts again', async ({ fault, waitsAtLeastMs = 0 }) => {
      server.pageSize = 1;
      server.put('a', 'a');
      server.put('b', 'b');
      await start().synced;
      await watching();
      server.remove('a', { silently: true });
      server.put('c', 'c', { silently: true });
      server.nextPageFault = fault;
      server.send(goneEvent);
      await until('watch and list have failed', () => errors.length === 2);
      expect(copy.has('ns/a')).toBe(true);
      expect(errors[1]?.retryInMs).toBeGreaterThanOrEqual(waitsAtLeastMs);
      await holds({ 'ns/b': 'b', 'ns/c': 'c' });
      expect(calls.filter((call) => call.startsWith('delete'))).toEqual(['delete ns/a']);
    });

    test('Retry-After: a day is a minute', async () => {
      server.listFaults.push({ status: 429, reason: 'TooManyRequests', retryAfter: 86_400 });
      start();
      await until('the list has failed', () => errors.length === 1);
      expect(errors[0]?.retryInMs).toBeGreaterThanOrEqual(60_000);
      expect(errors[0]?.retryInMs).toBeLessThanOrEqual(75_000);
    });

    test('a server that is away is tried again and again, not in step and not in a hurry', async () => {
      server.listFaults.push(...Array.from({ length: 6 }, () => ({ status: 503 })));
      await start().synced;
      const waits = errors.map(({ retryInMs }) => retryInMs);
      expect(waits).toHaveLength(6);
      const steps = [10, 20, 40, 50, 50, 50];
      waits.forEach((wait, index) => expect(wait).toBeGreaterThanOrEqual((steps[index] ?? 0) / 2));
      waits.forEach((wait, index) => expect(wait).toBeLessThanOrEqual(steps[index] ?? 0));
    });
  });

  describe('faults of a watch', () => {
    const cases: { name: string; happens: () => void; lists: number }[] = [
      { name: 'cut in the middle of a line', happens: () => server.endWatches('cut'), lists: 1 },
      { name: 'closed by the server', happens: () => server.endWatches('closed'), lists: 1 },
      { name: 'silent for too long', happens: () => undefined, lists: 1 },
      { name: '410 as an ERROR event', happens: () => server.send(goneEvent), lists: 2 },
      {
        name: '410 as the answer',
        happens: () => {
          server.watchFaults.push({ status: 410, reason: 'Expired' });
          server.endWatches('closed');
        },
        lists: 2,
      },
      {
        name: 'another error as an event',
        happens: () => server.send({ type: 'ERROR', object: { kind: 'Status', code: 500, message: 'etcd' } }),
        lists: 1,
      },
    ];
    test.each(cases)('$name: watched again', async ({ happens, lists }) => {
      server.put('a', 'a');
      await start().synced;
      await watching();
      happens();
      await until('another watch stands', () => server.count('watch') > 1 && server.watching === 1);
      expect(server.count('list')).toBe(lists);
      server.put('b', 'b');
      await holds({ 'ns/a': 'a', 'ns/b': 'b' });
      expect(calls).toEqual(['add ns/a', 'add ns/b']);
    });

    test('a DELETE that was missed is found by the list after a 410', async () => {
      server.put('a', 'a');
      server.put('b', 'b');
      await start().synced;
      await watching();
      server.remove('a', { silently: true });
      server.send(goneEvent);
      await holds({ 'ns/b': 'b' });
    });

    test('an object made anew under the same name is a delete and an add', async () => {
      server.put('a', 'old');
      await start().synced;
      await watching();
      server.remove('a', { silently: true });
      server.put('a', 'new', { uid: 'another', silently: true });
      server.send(goneEvent);
      await holds({ 'ns/a': 'new' });
      expect(calls).toEqual(['add ns/a', 'delete ns/a', 'add ns/a']);
    });

    const older = {
      type: 'MODIFIED',
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'c', namespace: 'ns', uid: 'uid-c', resourceVersion: '51' },
        data: 'c',
      },
    };
    test.each([
      { name: 'as a watch shows', now: 102, happens: () => server.send(older), lists: 2 },
      // The list that shows it has left out what it took for known.
      { name: 'as a list shows', now: 50, happens: () => server.send(goneEvent), lists: 3 },
    ])(
      'a resourceVersion that goes back, $name, drops what is known of versions and lists again',
      async ({ now, happens, lists }) => {
        server.put('a', 'a');
        server.put('b', 'b');
        await start().synced;
        await watching();
        restore();
        server.resourceVersion = now;
        happens();
        await holds({ 'ns/a': 'restored' });
        expect(server.count('list')).toBe(lists);
      },
    );

    test('what a watch lost in silence is found by the list that is due anyway', async () => {
      server.put('a', 'a');
      await start({ relistMs: 2500 }).synced;
      await watching();
      const keepAlive = setInterval(() => server.bookmark(server.resourceVersion), 50);
      server.put('b', 'b', { silently: true });
      setTimeout(() => server.endWatches('closed'), 1600);
      await holds({ 'ns/a': 'a', 'ns/b': 'b' });
      clearInterval(keepAlive);
      expect(calls).toEqual(['add ns/a', 'add ns/b']);
    });

    test('a watch that closes at once, every time, does not become a busy loop', async () => {
      server.watchFaults.push(...Array.from({ length: 5 }, () => ({ cut: true }) as const));
      await start().synced;
      await until('six watches', () => server.count('watch') === 6);
      expect(errors).toHaveLength(5);
      expect(server.count('list')).toBe(1);
    });
  });

  test('stop ends the watch and nothing is called afterwards', async () => {
    await start().synced;
    await watching();
    await reflector?.stop();
    await until('the connection is closed', () => server.watching === 0);
  });

  test('stop does not wait for an API server that hangs', async () => {
    server.listFaults.push({ hang: true });
    start();
    await until('the list is asked for', () => server.count('list') === 1);
    const before = performance.now();
    await reflector?.stop();
    expect(performance.now() - before).toBeLessThan(200);
  });
});
