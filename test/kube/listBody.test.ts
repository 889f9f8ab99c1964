/**
 * The items of a list and the rest of it, from a body that comes in pieces cut anywhere.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { readListBody } from '../../src/kube/listBody.ts';
import { maxObjectLength } from '../../src/kube/maxObjectLength.ts';
import { scaled } from '../support/scale.ts';

async function* inPieces(text: string, length: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function read(text: string, length = 7): Promise<{ items: unknown[]; rest: unknown; bytes: number }> {
  const items: unknown[] = [];
  let bytes = 0;
  const rest = await readListBody(inPieces(text, length), (item, itemBytes) => {
    items.push(item);
    bytes += itemBytes;
  });
  return { items, rest, bytes };
}

const item = fc.jsonValue();
/** As typed lists of the API server are ordered, and as those of custom resources are. */
const list = fc
  .record({ metadata: fc.jsonValue(), items: fc.array(item, { maxLength: 5 }), isOrdered: fc.boolean() })
  .map(({ metadata, items, isOrdered }) =>
    isOrdered ? { kind: 'AList', metadata, items } : { apiVersion: 'v1', items, kind: 'AList', metadata },
  );

describe('readListBody', () => {
  test('gives the items and the list without them, wherever the body is cut', async () => {
    const text = fc
      .tuple(list, fc.constantFrom(undefined, 1))
      .map(([each, indent]) => JSON.stringify(each, null, indent));
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 40 }), async (body, length) => {
        const { items, ...rest } = JSON.parse(body) as { items: unknown[] };
        const found = await read(body, length);
        expect({ items: found.items, rest: found.rest }).toEqual({ items, rest: { ...rest, items: [] } });
      }),
      { numRuns: scaled(300, 10_000) },
    );
  });

  test('gives any other JSON as it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.integer({ min: 1, max: 40 }), async (value, length) => {
        const isList = typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items);
        fc.pre(!isList);
        expect(await read(JSON.stringify(value), length)).toEqual({
          items: [],
          rest: JSON.parse(JSON.stringify(value)),
          bytes: 0,
        });
      }),
      { numRuns: scaled(300, 10_000) },
    );
  });

  test.each<{ name: string; body: string; items: unknown[]; rest: unknown }>([
    {
      name: 'brackets and commas in texts',
      body: '{"items":["],[","{\\"","\\\\"]}',
      items: ['],[', '{"', '\\'],
      rest: { items: [] },
    },
    {
      name: 'items of items',
      body: '{"items":[{"items":[1,[2]]},3]}',
      items: [{ items: [1, [2]] }, 3],
      rest: { items: [] },
    },
    { name: 'another array before', body: '{"a":[1],"items":[2]}', items: [2], rest: { a: [1], items: [] } },
    { name: 'a key that ends alike', body: '{"my\\"items":[1]}', items: [], rest: { 'my"items': [1] } },
    { name: 'a text that is so named', body: '{"a":"items","b":[1]}', items: [], rest: { a: 'items', b: [1] } },
    { name: 'items further inside', body: '{"a":{"items":[1]}}', items: [], rest: { a: { items: [1] } } },
    { name: 'no items', body: '{"items": [ ]}', items: [], rest: { items: [] } },
    { name: 'items that are null', body: '{"items":null}', items: [], rest: { items: null } },
  ])('$name', async ({ body, items, rest }) => {
    for (const length of [1, 2, 3, 1000]) expect(await read(body, length)).toMatchObject({ items, rest });
  });

  test.each([
    '',
    '{',
    '{"items":[1',
    '{"items":[1,',
    '{"items":[1}',
    '{"items":[1]]',
    '{"items":[,]}',
    '{"items":[1,,2]}',
    'x',
  ])('throws for %j', async (body) => {
    for (const length of [1, 1000]) await expect(read(body, length)).rejects.toThrow(SyntaxError);
  });

  test('says how long items are', async () => {
    expect((await read('{"items":["ä", {}]}')).bytes).toBe(7);
  });

  test.each([
    { what: 'an item', begin: '{"items":[[' },
    { what: 'the rest', begin: '{"items":[],"a":[[' },
  ])('throws where $what is too long, before it has come as a whole', async ({ begin }) => {
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from(begin);
      for (let bytes = 0; bytes < 2 * maxObjectLength; bytes += 65_536) yield Buffer.alloc(65_536, '1,');
      throw new Error('read to the end');
    }
    await expect(readListBody(endless(), () => undefined)).rejects.toThrow('longer than');
  });
});
