/**
 * @module Everything in a CRD's schema that can refuse an object, and the schema without it.
 */
import type { CrdSchema } from '../../src/api/crdSchema.ts';

export interface Constraint {
  /** e.g. `spec.masquerade.bit`, `spec.rollout.steps[]` */
  readonly field: string;
  /** e.g. `maximum`, `required name`, `rule self.mode == …` */
  readonly what: string;
  /** The keys that lead to the constraint in the schema. */
  readonly at: readonly (string | number)[];
}

const bounds = [
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
];

export function constraintsOf(schema: CrdSchema, field = '', at: readonly (string | number)[] = []): Constraint[] {
  return [
    ...ownConstraints(schema, field, at),
    ...childrenOf(schema, field, at).flatMap((child) => constraintsOf(child.schema, child.field, child.at)),
  ];
}

function ownConstraints(schema: CrdSchema, field: string, at: readonly (string | number)[]): Constraint[] {
  const keywords = bounds
    .filter((keyword) => keyword in schema)
    .map((keyword) => ({ field, what: keyword, at: [...at, keyword] }));
  const required = (schema.required ?? []).map((name, index) => ({
    field,
    what: `required ${name}`,
    at: [...at, 'required', index],
  }));
  const rules = (schema['x-kubernetes-validations'] ?? []).map(({ rule }, index) => ({
    field,
    what: `rule ${rule}`,
    at: [...at, 'x-kubernetes-validations', index],
  }));
  const unique = ['set', 'map'].includes(schema['x-kubernetes-list-type'] ?? '')
    ? [{ field, what: 'unique entries', at: [...at, 'x-kubernetes-list-type'] }]
    : [];
  const format = schema.format === 'date-time' ? [{ field, what: 'format date-time', at: [...at, 'format'] }] : [];
  return [...keywords, ...required, ...rules, ...unique, ...format];
}

export interface Child {
  readonly schema: CrdSchema;
  readonly field: string;
  readonly at: readonly (string | number)[];
}

export function childrenOf(schema: CrdSchema, field: string, at: readonly (string | number)[]): Child[] {
  const properties = Object.entries(schema.properties ?? {}).map(([name, child]) => ({
    schema: child,
    field: field === '' ? name : `${field}.${name}`,
    at: [...at, 'properties', name],
  }));
  const items = schema.items === undefined ? [] : [{ schema: schema.items, field: `${field}[]`, at: [...at, 'items'] }];
  const values =
    schema.additionalProperties === undefined
      ? []
      : [{ schema: schema.additionalProperties, field: `${field}{}`, at: [...at, 'additionalProperties'] }];
  return [...properties, ...items, ...values];
}

export function without(schema: CrdSchema, { at }: Constraint): CrdSchema {
  const copy = structuredClone(schema);
  const parent = at
    .slice(0, -1)
    .reduce<Record<string | number, unknown>>(
      (node, key) => node[key] as Record<string | number, unknown>,
      copy as Record<string, unknown>,
    );
  const last = at.at(-1) ?? '';
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return copy;
}
