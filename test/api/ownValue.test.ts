/**
 * Keys that every object inherits: nobody has them who does not say so.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { withDefaults } from '../../src/api/defaults.ts';
import { proxyconfigSchema } from '../../src/api/generated/schemas.ts';
import { ownValue } from '../../src/api/ownValue.ts';
import { matches, type NodeSelector } from '../../src/api/resolvePolicy.ts';
import { validateObject } from '../../src/api/validation.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { Fields } from '../../src/model/fields.ts';

const inherited = Object.getOwnPropertyNames(Object.prototype);

/** As JSON has it, where `__proto__` is a key as any other. */
const parsed = (key: string, value: unknown): Record<string, string> =>
  JSON.parse(`{${JSON.stringify(key)}:${JSON.stringify(value)}}`) as Record<string, string>;

const selecting = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'): NodeSelector => ({
  matchExpressions: [{ key, operator, ...(operator.endsWith('In') && { values: ['yes'] }) }],
});

describe('ownValue', () => {
  test.each(inherited)('%s is a key as any other', (key) => {
    expect([ownValue({}, key), ownValue(parsed(key, 'yes'), key), ownValue(undefined, key)]).toEqual([
      undefined,
      'yes',
      undefined,
    ]);
  });

  test.each(inherited)('a label %s is on no node that does not have it', (key) => {
    expect({
      matchLabels: matches({ matchLabels: parsed(key, 'yes') }, {}),
      In: matches(selecting(key, 'In'), {}),
      NotIn: matches(selecting(key, 'NotIn'), {}),
      Exists: matches(selecting(key, 'Exists'), {}),
      DoesNotExist: matches(selecting(key, 'DoesNotExist'), {}),
    }).toEqual({ matchLabels: false, In: false, NotIn: true, Exists: false, DoesNotExist: true });
  });

  test.each(inherited)('a label %s that a Node has is found', (key) => {
    const object = { metadata: { name: 'node-1', labels: parsed(key, 'yes') } };
    const labels = decodeNode(object).record?.labels ?? {};
    expect({
      matchLabels: matches({ matchLabels: parsed(key, 'yes') }, labels),
      In: matches(selecting(key, 'In'), labels),
      NotIn: matches(selecting(key, 'NotIn'), labels),
      Exists: matches(selecting(key, 'Exists'), labels),
      DoesNotExist: matches(selecting(key, 'DoesNotExist'), labels),
    }).toEqual({ matchLabels: true, In: true, NotIn: false, Exists: true, DoesNotExist: false });
  });

  test.each(inherited)('an operator %s holds for no node', (operator) => {
    const selector = { matchExpressions: [{ key: 'pool', operator }] } as unknown as NodeSelector;
    expect([matches(selector, {}), matches(selector, { pool: 'edge' })]).toEqual([false, false]);
  });

  test.each(inherited)('a field %s of a manifest is reported as any that does not exist', (key) => {
    const spec: object = Object.fromEntries([
      ['mode', 'iptables'],
      [key, { a: 1 }],
    ]);
    const manifest = {
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'ProxyConfig',
      metadata: { name: 'default' },
      spec,
    };
    expect(validateObject(manifest, proxyconfigSchema)).toEqual([
      { field: `spec.${key}`, message: expect.stringMatching(/^is not a field/) },
    ]);
    const completed = withDefaults(manifest) as { spec: Record<string, unknown> };
    expect(ownValue(completed.spec, key)).toEqual({ a: 1 });
  });

  test.each(inherited)('a field %s that an object has not is absent for a decoder', (key) => {
    expect([new Fields({}).at(key).isAbsent(), new Fields({}).entry(key).isAbsent()]).toEqual([true, true]);
  });

  test('a selector decides by what a Map of the labels holds, whatever their names', () => {
    const name = fc.oneof(fc.constantFrom(...inherited), fc.constantFrom('pool', 'zone'));
    const value = fc.constantFrom('yes', 'no');
    const operator = fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), name, operator, (pairs, key, chosen) => {
        const known = new Map(pairs);
        const expected = {
          In: known.get(key) === 'yes',
          NotIn: known.get(key) !== 'yes',
          Exists: known.has(key),
          DoesNotExist: !known.has(key),
        };
        expect(matches(selecting(key, chosen), Object.fromEntries(known))).toBe(expected[chosen]);
      }),
    );
  });
});
