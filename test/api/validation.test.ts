import { describe, expect, test } from '@jest/globals';
import { validateObject } from '../../src/api/validation.ts';
import { examplesOf, kinds, type Example, type Kind } from './admissionTable.ts';
import { childrenOf, constraintsOf, without, type Child, type Constraint } from './constraints.ts';

describe.each(kinds)('validateObject, $kind', (kind) => {
  const examples = examplesOf(kind);

  test.each(examples.filter(({ accepted }) => accepted))('takes $field $text', ({ object }) => {
    expect(validateObject(object, kind.schema)).toEqual([]);
  });

  test.each(examples.filter(({ accepted }) => !accepted))('refuses $field $text', ({ object, names }) => {
    const violations = validateObject(object, kind.schema);
    expect(violations).not.toEqual([]);
    expect(violations.map((violation) => violation.field).join()).toContain(names);
  });

  test('every constraint of the schema decides an example, and has an accepted one', () => {
    expect(
      constraintsOf(kind.schema)
        .filter((constraint) => !isShown(constraint, kind, examples))
        .map(({ field, what }) => `${field}: ${what}`),
    ).toEqual([]);
  });

  test('every value of an enumeration is accepted somewhere', () => {
    const missing = enumerations(kind).flatMap(({ field, schema }) =>
      (schema.enum ?? [])
        .filter(
          (value) =>
            !examples.some(
              (example) => example.accepted && general(example.field) === field && example.value === value,
            ),
        )
        .map((value) => `${field}: ${String(value)}`),
    );
    expect(missing).toEqual([]);
  });

  test('every field has a description for kubectl explain', () => {
    const silent = fieldsOf(kind).filter(
      ({ field, schema }) =>
        !/[[{]/.test(field.slice(-2)) && field !== 'metadata' && (schema.description ?? '').length < 5,
    );
    expect(silent.map(({ field }) => field)).toEqual([]);
  });

  test('every rule has a message that names its field', () => {
    const unnamed = fieldsOf(kind).flatMap(({ field, schema }) =>
      (schema['x-kubernetes-validations'] ?? [])
        .filter(({ fieldPath, message }) => !message?.includes(lastName(fieldPath ?? field)))
        .map(({ rule }) => rule),
    );
    expect(unnamed).toEqual([]);
  });
});

/** Whether some refused example is judged differently without the constraint, and some accepted one has its field. */
function isShown(constraint: Constraint, kind: Kind, examples: readonly Example[]): boolean {
  const lenient = without(kind.schema, constraint);
  const near = examples.filter(
    ({ field }) =>
      field === 'spec' || general(field).startsWith(constraint.field) || constraint.field.startsWith(general(field)),
  );
  const decides = near.some(
    ({ accepted, object }) =>
      !accepted &&
      JSON.stringify(validateObject(object, lenient)) !== JSON.stringify(validateObject(object, kind.schema)),
  );
  return decides && near.some(({ accepted }) => accepted);
}

function general(field: string): string {
  return field.replaceAll(/\[\d+\]/g, '[]');
}

function lastName(field: string): string {
  return field.replaceAll('[]', '').split('.').at(-1) ?? '';
}

function fieldsOf(kind: Kind): Child[] {
  const found: Child[] = [{ schema: kind.schema, field: '', at: [] }];
  for (const { schema, field, at } of found) found.push(...childrenOf(schema, field, at));
  return found.slice(1);
}

function enumerations(kind: Kind): Child[] {
  return fieldsOf(kind).filter(({ schema }) => schema.enum !== undefined);
}
