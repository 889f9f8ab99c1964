/**
 * What the API server would refuse, said without one: the CRDs' own schemas and CEL rules are evaluated.
 *
 * A walker of our own and no JSON Schema library: a CRD's rules, list types and integers-or-strings are no JSON Schema,
 * and one walk names every field in the same words. A test runs one table of objects here and against a real API
 * server.
 */
import { createRuleCheck, type RuleCheck } from './celRules.ts';
import type { CrdSchema } from './crdSchema.ts';
import { withDefaults } from './defaults.ts';
import { ownValue } from './ownValue.ts';
import { isRecord } from './isRecord.ts';
import { proxyconfigSchema } from './generated/schemas.ts';

/** One thing that the API server would refuse. */
export interface Violation {
  /** e.g. `spec.masquerade.bit`. */
  readonly field: string;
  /** What is wrong and what to write instead, to be read after the field's name. */
  readonly message: string;
}

/**
 * What the API server would refuse in a ProxyConfig; empty when it would take it. Defaults are filled in first, as
 * there.
 */
export function validateProxyConfig(manifest: unknown): readonly Violation[] {
  return validateObject(manifest, proxyconfigSchema);
}

/**
 * As `validateProxyConfig`, for any kind whose schema is given. Fields of `metadata` that the schema does not restrict
 * are taken as they are.
 */
export function validateObject(manifest: unknown, schema: CrdSchema): readonly Violation[] {
  const complete: CrdSchema = {
    ...schema,
    properties: {
      ...schema.properties,
      metadata: {
        ...objectMeta,
        properties: { ...objectMeta.properties, ...schema.properties?.['metadata']?.properties },
      },
    },
  };
  const walk: Walk = { check: createRuleCheck(), violations: [] };
  visit(withDefaults(manifest, schema), complete, '', walk);
  return walk.violations;
}

const objectMeta: CrdSchema = {
  type: 'object',
  required: ['name'],
  'x-kubernetes-preserve-unknown-fields': true,
  properties: { name: { type: 'string' } },
};

interface Walk {
  readonly check: RuleCheck;
  readonly violations: Violation[];
}

/** Reports everything below first: rules are only asked about values whose shape is right, as on the API server. */
function visit(value: unknown, schema: CrdSchema, field: string, walk: Walk): void {
  const before = walk.violations.length;
  const wrong = wrongType(value, schema) ?? wrongValue(value, schema);
  if (wrong !== undefined) walk.violations.push({ field, message: wrong });
  else if (Array.isArray(value)) visitItems(value, schema, field, walk);
  else if (isRecord(value)) visitProperties(value, schema, field, walk);
  if (walk.violations.length === before) visitRules(value, schema, field, walk);
}

function visitItems(items: readonly unknown[], schema: CrdSchema, field: string, walk: Walk): void {
  for (const [index, item] of items.entries()) visit(item, schema.items ?? {}, `${field}[${index}]`, walk);
  const identities = items.map((item) => identityOf(item, schema));
  const duplicate = identities.findIndex((identity, index) => identities.indexOf(identity) < index);
  if (duplicate >= 0)
    walk.violations.push({ field: `${field}[${duplicate}]`, message: 'is a duplicate of an earlier entry; remove it' });
}

/** Entries of a `set` differ in themselves, of a `map` in their keys; of another list each is its own. */
function identityOf(item: unknown, schema: CrdSchema): unknown {
  if (schema['x-kubernetes-list-type'] === 'set') return item;
  if (schema['x-kubernetes-list-type'] !== 'map' || !isRecord(item)) return Symbol('unlike any other');
  return JSON.stringify(schema['x-kubernetes-list-map-keys']?.map((key) => ownValue(item, key)));
}

function visitProperties(
  record: Readonly<Record<string, unknown>>,
  schema: CrdSchema,
  field: string,
  walk: Walk,
): void {
  const child = (name: string): string => (field === '' ? name : `${field}.${name}`);
  for (const name of schema.required ?? []) {
    if (ownValue(record, name) === undefined)
      walk.violations.push({
        field: child(name),
        message: `is required${allowedValues(ownValue(schema.properties, name))}`,
      });
  }
  for (const [name, value] of Object.entries(record)) {
    const known = ownValue(schema.properties, name) ?? schema.additionalProperties;
    if (known !== undefined) visit(value, known, child(name), walk);
    else if (schema['x-kubernetes-preserve-unknown-fields'] !== true) {
      walk.violations.push({ field: child(name), message: `is not a field${knownFields(schema)}` });
    }
  }
}

function visitRules(value: unknown, schema: CrdSchema, field: string, walk: Walk): void {
  for (const { rule, message = `must satisfy ${rule}`, fieldPath = '' } of schema['x-kubernetes-validations'] ?? []) {
    if (walk.check(rule, value)) continue;
    const given = typeof value === 'string' ? `, not ${JSON.stringify(value)}` : '';
    walk.violations.push({ field: `${field}${fieldPath}`, message: `${message}${given}` });
  }
}

function wrongType(value: unknown, schema: CrdSchema): string | undefined {
  const type = ownValue(types, schema['x-kubernetes-int-or-string'] === true ? 'int-or-string' : schema.type);
  return type === undefined || type.holds(value) ? undefined : `must be ${type.name}`;
}

const types: Readonly<Record<string, { name: string; holds: (value: unknown) => boolean }>> = {
  string: { name: 'a string', holds: (value) => typeof value === 'string' },
  boolean: { name: 'true or false', holds: (value) => typeof value === 'boolean' },
  integer: { name: 'an integer', holds: Number.isInteger },
  'int-or-string': {
    name: 'an integer or a string',
    holds: (value) => typeof value === 'string' || Number.isInteger(value),
  },
  array: { name: 'a list', holds: Array.isArray },
  object: { name: 'an object', holds: isRecord },
};

function wrongValue(value: unknown, schema: CrdSchema): string | undefined {
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return `must be${allowedValues(schema).replace(':', '')}, not ${JSON.stringify(value)}`;
  if (typeof value === 'number') return outside(value, schema.minimum, schema.maximum, 'must be');
  if (Array.isArray(value)) return outside(value.length, schema.minItems, schema.maxItems, 'number of entries must be');
  if (isRecord(value))
    return outside(Object.keys(value).length, schema.minProperties, schema.maxProperties, 'number of entries must be');
  return typeof value === 'string' ? wrongText(value, schema) : undefined;
}

function wrongText(text: string, schema: CrdSchema): string | undefined {
  const wrongLength = outside(
    Array.from(text).length,
    schema.minLength,
    schema.maxLength,
    'number of characters must be',
  );
  if (wrongLength !== undefined) return wrongLength;
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(text))
    return `must match ${schema.pattern}, not ${JSON.stringify(text)}`;
  if (schema.format === 'date-time' && !/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text))
    return 'must be a time such as 2026-01-31T12:00:00Z';
  return undefined;
}

function outside(
  value: number,
  minimum: number | undefined,
  maximum: number | undefined,
  what: string,
): string | undefined {
  if (minimum !== undefined && value < minimum) return `${what} at least ${minimum}, not ${value}`;
  if (maximum !== undefined && value > maximum) return `${what} at most ${maximum}, not ${value}`;
  return undefined;
}

function allowedValues(schema: CrdSchema | undefined): string {
  return schema?.enum === undefined ? '' : `: one of ${schema.enum.join(', ')}`;
}

function knownFields(schema: CrdSchema): string {
  return schema.properties === undefined ? '' : `; there are ${Object.keys(schema.properties).sort().join(', ')}`;
}
