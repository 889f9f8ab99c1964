/**
 * What a field's schema asks for, in the words of the API reference's tables.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CrdSchema } from '../src/api/crdSchema.ts';

/** The fields of an object, or of each object in a list; undefined for all else. */
export function objectOf(schema: CrdSchema): CrdSchema | undefined {
  if (schema.properties) return schema;
  return schema.items?.properties ? schema.items : undefined;
}

export function typeWords(schema: CrdSchema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'integer or string';
  if (schema.items) return `list of ${typeWords(schema.items)}`;
  if (schema.additionalProperties) return `map of string to ${typeWords(schema.additionalProperties)}`;
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return 'object of any fields';
  return schema.format === undefined ? (schema.type ?? 'any') : `${schema.type} (${schema.format})`;
}

/** `required`, the default as JSON, that it is made of the fields' own defaults, or a dash for none. */
export function defaultWords(schema: CrdSchema, isRequired: boolean): string {
  if (!('default' in schema)) return isRequired ? '**required**' : '–';
  const value = schema.default;
  if (typeof value === 'object' && isDeepStrictEqual(value, defaultsOfFields(schema))) return 'of its fields';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function defaultsOfFields({ properties = {} }: CrdSchema): unknown {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, child]) => ('default' in child ? [[name, child.default]] : [])),
  );
}

/** Allowed values and bounds, those of a list's entries and of a map's values behind `each:`. */
export function boundWords(schema: CrdSchema): string {
  const each = schema.items ?? schema.additionalProperties;
  const ofEach = each === undefined || each.properties ? '' : boundWords(each);
  return [
    (schema.enum ?? []).map((value) => `\`${String(value)}\``).join(', '),
    rangeWords(schema.minimum, schema.maximum),
    rangeWords(schema.minLength, schema.maxLength, ' characters'),
    rangeWords(schema.minItems, schema.maxItems, ' entries'),
    rangeWords(schema.minProperties, schema.maxProperties, ' entries'),
    schema.pattern === undefined ? '' : `matches \`${schema.pattern}\``,
    uniqueWords(schema),
    ofEach === '' ? '' : `each: ${ofEach}`,
  ]
    .filter((words) => words !== '')
    .join('; ');
}

function rangeWords(min: number | undefined, max: number | undefined, unit = ''): string {
  if (min !== undefined && max !== undefined) return `${min} to ${max}${unit}`;
  if (min !== undefined) return `at least ${min}${unit}`;
  return max === undefined ? '' : `at most ${max}${unit}`;
}

function uniqueWords(schema: CrdSchema): string {
  if (schema['x-kubernetes-list-type'] === 'set') return 'no entry twice';
  if (schema['x-kubernetes-list-type'] !== 'map') return '';
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return `one entry for each ${keys.map((key) => `\`${key}\``).join(', ')}`;
}
