/**
 * What answers in the place of a list or of a watch's event and is none of it.
 */
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiError } from '../../src/kube/apiError.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { createReflector, type Reflector } from '../../src/kube/reflector.ts';
import { ListWatchServer, type StoredObject } from './listWatchServer.ts';
import { until } from '../support/until.ts';

let server: ListWatchServer;
let client: KubeClient;
let reflector: Reflector | undefined;
let copy: Map<string, string>;
let deleted: string[];
let errors: unknown[];

beforeEach(async () => {
  server = new ListWatchServer();
  client = createKubeClient({ server: await server.start(), tls: {}, token: () => undefined });
  [copy, deleted, errors] = [new Map(), [], []];
});

afterEach(async () => {
  await reflector?.stop();
  await client.close();
  await server.stop();
});

function start(): Reflector {
  reflector = createReflector<string>({
    client,
    path: '/api/v1/configmaps',
    decode: (object) => (object as StoredObject).data,
    handler: {
      onAdd: ({ key }, data) => copy.set(key, data),
      onUpdate: ({ key }, data) => copy.set(key, data),
      onDelete: ({ key }) => {
        copy.delete(key);
        deleted.push(key);
      },
    },
    onError: (error) => errors.push(error),
    timing: { retryMinMs: 10, retryMaxMs: 20, reconnectMaxMs: 20 },
  });
  reflector.start();
  return reflector;
}

async function startWatching(): Promise<void> {
  await start().synced;
  await until('a watch stands', () => server.watching === 1);
}

const holds = (expected: Record<string, string>): Promise<void> =>
  until(`the copy holds ${JSON.stringify(expected)}`, () => isDeepStrictEqual(Object.fromEntries(copy), expected));

const gone = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } };
const list = { apiVersion: 'v1', kind: 'ConfigMapList', metadata: { resourceVersion: '200' }, items: [] };
const metadata = { name: 'new', namespace: 'ns', uid: 'uid-new', resourceVersion: '250' };

describe('Reflector', () => {
  test.each<[string, unknown]>([
    ['a Status of a failure', { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 500, message: 'etcd' }],
    ['a Status of success', { kind: 'Status', apiVersion: 'v1', status: 'Success' }],
    ['an empty object', {}],
    ['null', null],
    ['a list of JSON', []],
    ['a text', 'ok'],
    ['a list of another kind', { ...list, kind: 'SecretList' }],
    ['a list of another group', { ...list, apiVersion: 'apps/v1' }],
    ['one object of the kind', { ...list, kind: 'ConfigMap' }],
    ['a list without a kind', { ...list, kind: undefined }],
    ['a list without an apiVersion', { ...list, apiVersion: undefined }],
    ['a list without items', { ...list, items: undefined }],
    ['a list whose items are null', { ...list, items: null }],
    ['a list whose items are an object', { ...list, items: {} }],
    ['a list without metadata', { ...list, metadata: undefined }],
    ['a list without a resourceVersion', { ...list, metadata: {} }],
    ['a list with an empty resourceVersion', { ...list, metadata: { resourceVersion: '' } }],
    ['a list with a number as its resourceVersion', { ...list, metadata: { resourceVersion: 5 } }],
  ])('a list that is answered with %s deletes nothing and is asked for again', async (_name, body) => {
    server.put('a', 'a');
    server.put('b', 'b');
    await startWatching();
    server.remove('b', { silently: true });
    server.listFaults.push({ body: JSON.stringify(body) }, { body: JSON.stringify(body) });
    server.send(gone);
    await until('the list has failed twice', () => errors.length === 3);
    expect(deleted).toEqual([]);
    await holds({ 'ns/a': 'a' });
    expect(errors.every((error) => error instanceof ApiError)).toBe(true);
  });

  test('the second page is checked as the first is', async () => {
    server.pageSize = 1;
    server.put('a', 'a');
    server.put('b', 'b');
    await startWatching();
    server.nextPageFault = { body: JSON.stringify({ ...list, kind: 'SecretList' }) };
    server.send(gone);
    await until('the list has failed', () => errors.length === 2);
    await until('it is watched again', () => server.watching === 1 && server.count('watch') === 2);
    expect({ copy: [...copy.keys()], deleted }).toEqual({ copy: ['ns/a', 'ns/b'], deleted: [] });
  });

  test.each<[string, unknown]>([
    ['nothing', null],
    ['a text', 'x'],
    ['no metadata', { data: 'x' }],
    ['metadata that is null', { metadata: null, data: 'x' }],
    ['metadata that is a list', { metadata: [], data: 'x' }],
    ['no name', { metadata: { ...metadata, name: undefined }, data: 'x' }],
    ['a name that is no text', { metadata: { ...metadata, name: 5 }, data: 'x' }],
    ['no uid', { metadata: { ...metadata, uid: undefined }, data: 'x' }],
    ['no resourceVersion', { metadata: { ...metadata, resourceVersion: undefined }, data: 'x' }],
  ])('an item with %s stops nothing but itself', async (_name, item) => {
    server.strayItems.push(item);
    server.put('a', 'a');
    await startWatching();
    server.send({ type: 'ADDED', object: { apiVersion: 'v1', kind: 'ConfigMap', ...(item as object) } });
    server.put('b', 'b');
    await holds({ 'ns/a': 'a', 'ns/b': 'b' });
    server.remove('a', { silently: true });
    server.send(gone);
    await holds({ 'ns/b': 'b' });
    expect(errors.filter((error) => String(error).includes('is left out'))).toHaveLength(3);
  });

  test('an object that is there, but without its uid, is not taken for absent', async () => {
    server.put('a', 'a');
    server.put('b', 'b');
    await startWatching();
    server.objects.delete('a');
    server.strayItems.push({ metadata: { name: 'a', namespace: 'ns' }, data: 'a' });
    server.remove('b', { silently: true });
    server.send(gone);
    await holds({ 'ns/a': 'a' });
  });

  test.each<[string, object]>([
    ['of another kind', { type: 'DELETED', object: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } } }],
    ['of another group', { type: 'ADDED', object: { apiVersion: 'apps/v1', kind: 'ConfigMap', metadata } }],
    ['without a kind', { type: 'ADDED', object: { metadata, data: 'x' } }],
    ['without an object', { type: 'ADDED' }],
    ['that is a bookmark without metadata', { type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'ConfigMap' } }],
  ])('an event %s is not believed, and a new list says what is true', async (_name, event) => {
    server.put('a', 'a');
    await startWatching();
    server.put('b', 'b', { silently: true });
    server.send(event);
    await holds({ 'ns/a': 'a', 'ns/b': 'b' });
    expect({ deleted, lists: server.count('list') }).toEqual({ deleted: [], lists: 2 });
  });

  test.each<[string, unknown]>([
    ['of no type', { object: { apiVersion: 'v1', kind: 'ConfigMap', metadata } }],
    ['of another type', { type: 'constructor', object: { apiVersion: 'v1', kind: 'ConfigMap', metadata } }],
    ['that is null', null],
    ['that is a list', []],
    ['that is a number', 7],
  ])('a line %s ends the watch, which goes on from where it was', async (_name, event) => {
    server.put('a', 'a');
    await startWatching();
    server.send(event as object);
    await until('another watch stands', () => server.count('watch') === 2 && server.watching === 1);
    expect(server.requests.at(-1)?.searchParams.get('resourceVersion')).toBe('101');
    expect([...copy.keys()]).toEqual(['ns/a']);
  });

  const endless: readonly { name: string; nextPage: NonNullable<ListWatchServer['nextPage']> }[] = [
    { name: 'one token for ever', nextPage: () => ({ items: [], token: '1' }) },
    { name: 'new tokens, and nothing on the pages', nextPage: (page) => ({ items: [], token: String(page + 1) }) },
    {
      name: 'new tokens, and the same object each time',
      nextPage: (page) => ({ items: [{ metadata, data: 'x' }], token: String(page + 1) }),
    },
    {
      name: 'new tokens, and a new object each time',
      nextPage: (page) => ({ items: [{ metadata: { ...metadata, name: `n${page}` } }], token: String(page + 1) }),
    },
  ];
  test.each(endless)('a list that goes on for ever is ended, and deletes nothing: $name', async ({ nextPage }) => {
    server.put('a', 'a');
    await startWatching();
    server.nextPage = nextPage;
    server.send(gone);
    await until('the list is ended', () => errors.length === 2, 60_000);
    expect((errors[1] as ApiError).reason).toBe('EndlessList');
    expect(copy.get('ns/a')).toBe('a');
    server.nextPage = undefined;
    await holds({ 'ns/a': 'a' });
  });
});

describe('KubeClient', () => {
  test.each<[string, unknown]>([
    ['a Status', { kind: 'Status', status: 'Success' }],
    ['null', null],
    ['a text', 'ok'],
  ])('get takes no %s for an object', async (_name, body) => {
    server.listFaults.push({ body: JSON.stringify(body) });
    await expect(client.get('/api/v1/namespaces/ns/configmaps/a')).rejects.toThrow(ApiError);
  });

  test('send takes no Status of a failure for success, but one of success', async () => {
    const failure = { kind: 'Status', status: 'Failure', code: 409, reason: 'Conflict', message: 'changed' };
    server.listFaults.push(
      { body: JSON.stringify(failure) },
      { body: JSON.stringify({ kind: 'Status', status: 'Success' }) },
    );
    await expect(client.send('DELETE', '/api/v1/namespaces/ns/configmaps/a')).rejects.toMatchObject({ status: 409 });
    expect(await client.send('DELETE', '/api/v1/namespaces/ns/configmaps/a')).toMatchObject({ status: 'Success' });
  });
});
