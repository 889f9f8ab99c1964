import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { bounded, shortened } from '../../src/api/bounded.ts';
import type { CrdSchema } from '../../src/api/crdSchema.ts';
import { nodeproxySchema, proxyconfigSchema } from '../../src/api/generated/schemas.ts';
import { nodeConditionTypes } from '../../src/api/nodeConditions.ts';
import { anyOf, violationsOfStatus } from './anyStatus.ts';

const statuses = { ProxyConfig: proxyconfigSchema, NodeProxy: nodeproxySchema };
describe('bounded', () => {
  test.each(Object.entries(statuses))(
    'any status of a %s is one that the API server takes, and once is enough',
    (_kind, schema) => {
      const statusSchema = schema.properties?.['status'] ?? {};
      fc.assert(
        fc.property(anyOf(statusSchema), (status) => {
          const within = bounded(status, statusSchema);
          expect(violationsOfStatus(within, schema)).toEqual([]);
          expect(bounded(within, statusSchema)).toEqual(within);
          expect(JSON.stringify(within)).toBe(JSON.stringify(within).toWellFormed());
          expect(JSON.stringify(within)).not.toMatch(/\\ud[89a-f]/);
        }),
      );
    },
  );

  const list: CrdSchema = {
    type: 'array',
    maxItems: 2,
    'x-kubernetes-list-map-keys': ['name'],
    items: { type: 'object', properties: { name: { type: 'string', maxLength: 12 } } },
  };
  test.each([
    {
      name: 'a second entry of a key goes',
      value: [
        { name: 'a', is: 1 },
        { name: 'a', is: 2 },
      ],
      expected: [{ name: 'a', is: 1 }],
    },
    {
      name: 'entries beyond the bound go',
      value: ['a', 'b', 'c'].map((name) => ({ name })),
      expected: [{ name: 'a' }, { name: 'b' }],
    },
    {
      name: 'two names that begin alike stay two',
      value: [{ name: 'abcdefghijklm-1' }, { name: 'abcdefghijklm-2' }],
      expected: [{ name: 'abc-69fcd18a' }, { name: 'abc-3a0bb76b' }],
    },
  ])('$name', ({ value, expected }) => {
    expect(bounded(value, list)).toEqual(expected);
  });

  test('a map keeps foreign keys as they are', () => {
    const modes = JSON.parse('{"constructor":1,"__proto__":2}') as object;
    expect(JSON.stringify(bounded(modes, { additionalProperties: { type: 'integer' } }))).toBe(JSON.stringify(modes));
  });
});

describe('shortened', () => {
  test.each([
    { text: 'abc', max: 3, expected: 'abc' },
    { text: 'abcd', max: 3, expected: 'ab…' },
    { text: 'a\u{1f600}\u{1f600}', max: 3, expected: 'a\u{1f600}\u{1f600}' },
    { text: 'a\u{1f600}\u{1f600}b', max: 3, expected: 'a\u{1f600}…' },
    { text: 'a\ud83d', max: 3, expected: 'a\ufffd' },
  ])('$text within $max characters is $expected', ({ text, max, expected }) => {
    expect(shortened(text, max)).toBe(expected);
  });
});

describe('the types of conditions', () => {
  test('all of a NodeProxy fit into its status at once', () => {
    const conditions = nodeproxySchema.properties?.['status']?.properties?.['conditions'];
    expect(new Set(nodeConditionTypes).size).toBe(nodeConditionTypes.length);
    expect(nodeConditionTypes.length).toBeLessThanOrEqual(conditions?.maxItems ?? 0);
    for (const type of nodeConditionTypes)
      expect(type.length).toBeLessThanOrEqual(conditions?.items?.properties?.['type']?.maxLength ?? 0);
  });
});
