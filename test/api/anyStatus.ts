/** @module Statuses as a hostile or broken writer would make them. */
import * as fc from 'fast-check';
import type { CrdSchema } from '../../src/api/crdSchema.ts';
import { validateObject, type Violation } from '../../src/api/validation.ts';

const halves = '\u{1f600}'.repeat(300);

/** Values of the schema's types, without regard for its bounds; where no entry may differ they often are the same. */
export function anyOf(schema: CrdSchema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.format === 'date-time') return fc.constant('2026-01-02T03:04:05Z');
  if (schema.type === 'integer') return fc.oneof(fc.integer(), fc.constantFrom(2 ** 31, 2 ** 40, 1e300, NaN, -0.5));
  if (schema.type === 'string')
    return fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', `x${halves}`, 'same'));
  if (schema.type === 'array') return fc.array(anyOf(schema.items ?? {}), { maxLength: 40 });
  const { properties, required = [], additionalProperties } = schema;
  if (properties === undefined)
    return fc.dictionary(
      fc.constantFrom('__proto__', 'constructor', ...Array.from('abcdefghijkl')),
      anyOf(additionalProperties ?? {}),
    );
  const fields = Object.entries(properties).map(([name, field]): [string, fc.Arbitrary<unknown>] => [
    name,
    anyOf(field),
  ]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [...required] });
}

/** What the API server would refuse in the status. */
export function violationsOfStatus(status: unknown, schema: CrdSchema): readonly Violation[] {
  const spec = schema.properties?.['spec'];
  const ofStatus = { ...schema, required: [], properties: { ...schema.properties, spec: { ...spec, required: [] } } };
  return validateObject({ apiVersion: 'v1', kind: 'k', metadata: { name: 'a' }, status }, ofStatus);
}
