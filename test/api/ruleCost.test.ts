/**
 * What the API server reckons that a rule of the CRDs may cost: it refuses a CRD with one above its limit. Kubernetes
 * 1.32, the oldest that is supported, is the strictest: it takes an int-or-string for as long as a request may be.
 */
import { describe, expect, test } from '@jest/globals';
import type { CrdSchema } from '../../src/api/crdSchema.ts';
import { nodeproxySchema, proxyconfigSchema } from '../../src/api/generated/schemas.ts';

/** Of apiextensions-apiserver 0.32 (`StaticEstimatedCostLimit`, `DefaultMaxRequestSizeBytes`) and cel-go 0.22. */
const maxCost = 10_000_000;
const maxRequestBytes = 3 * 1024 * 1024;
const costPerCharacter = 0.1;
const costPerPatternCharacter = 0.25;

interface Pattern {
  readonly name: string;
  readonly cost: number;
}

/** Every pattern of a rule, with what trying it costs on all values that there may be of it. */
function patternsOf(schema: CrdSchema, path: string, count = 1): Pattern[] {
  const own = (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule }) =>
    [...rule.matchAll(/self(?:\.(\w+))?\.matches\('([^']*)'\)/g)].map(([, field, pattern = '']) => {
      const text = field === undefined ? schema : (schema.properties?.[field] ?? {});
      return {
        name: `${path}${field === undefined ? '' : `.${field}`}`,
        cost: count * costOf(text, unescaped(pattern)),
      };
    }),
  );
  const inProperties = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    patternsOf(property, `${path}.${name}`, count),
  );
  const inItems =
    schema.items === undefined
      ? []
      : patternsOf(schema.items, `${path}[]`, count * (schema.maxItems ?? maxRequestBytes));
  return [...own, ...inProperties, ...inItems];
}

function costOf(text: CrdSchema, pattern: string): number {
  const length = text['x-kubernetes-int-or-string'] ? maxRequestBytes : (text.maxLength ?? maxRequestBytes);
  return Math.ceil((length + 1) * costPerCharacter) * Math.ceil(pattern.length * costPerPatternCharacter);
}

/** As CEL reads the literal. */
function unescaped(literal: string): string {
  return literal.replaceAll('\\\\', '\\');
}

describe('patterns in rules of the CRDs', () => {
  const patterns = [...patternsOf(proxyconfigSchema, ''), ...patternsOf(nodeproxySchema, '')];

  test('there are some, in lists too', () => {
    expect(patterns.map(({ name }) => name)).toContain('.spec.rollout.steps[].setNodes');
  });

  test.each(patterns)('$name costs no more than a rule may', ({ cost }) => {
    expect(cost).toBeLessThan(maxCost);
  });
});
