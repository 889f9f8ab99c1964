/**
 * Brings a status within the bounds of its CustomResourceDefinition, whatever it was made from: the API server refuses
 * a whole status for one text that is too long.
 */
import { ownValue } from './ownValue.ts';
import { hash } from 'node:crypto';
import type { CrdSchema } from './crdSchema.ts';
import { isRecord } from './isRecord.ts';

const ellipsis = '…';
const hashLength = 8;
const largest: Readonly<Record<string, number>> = { int32: 2 ** 31 - 1, int64: Number.MAX_SAFE_INTEGER };

/**
 * The value as the schema allows it: texts are cut, lists and maps shortened to their first entries, of entries with an
 * equal key the first is kept, and numbers brought between their bounds. Texts become well-formed Unicode. What is
 * within the bounds stays as it is; fields that the schema does not know, and enumerations, are not looked at.
 */
export function bounded<T>(value: T, schema: CrdSchema): T {
  return boundedValue(value, schema) as T;
}

/**
 * The text with at most so many characters, an ellipsis included, cut between characters as the API server counts them
 * (Unicode code points), and well-formed.
 */
export function shortened(text: string, maxCharacters: number): string {
  const characters = Array.from(text.toWellFormed());
  if (characters.length <= maxCharacters) return characters.join('');
  return characters.slice(0, maxCharacters - 1).join('') + ellipsis;
}

function boundedValue(value: unknown, schema: CrdSchema | undefined): unknown {
  if (schema === undefined) return value;
  if (typeof value === 'string') return boundedText(value, schema);
  if (typeof value === 'number') return boundedNumber(value, schema);
  if (Array.isArray(value)) return boundedList(value, schema);
  return isRecord(value) ? boundedRecord(value, schema) : value;
}

function boundedText(text: string, { minLength = 0, maxLength = Infinity }: CrdSchema): string {
  return text.length < minLength ? 'Unknown' : shortened(text, maxLength);
}

function boundedNumber(value: number, { type, format, minimum = -Infinity, maximum = Infinity }: CrdSchema): number {
  if (type !== 'integer') return value;
  const max = Math.min(maximum, ownValue(largest, format ?? 'int64') ?? Infinity);
  return Number.isNaN(value) ? Math.max(minimum, 0) : Math.trunc(Math.min(max, Math.max(minimum, -max, value)));
}

function boundedList(list: readonly unknown[], schema: CrdSchema): readonly unknown[] {
  const keys = schema['x-kubernetes-list-map-keys'];
  const items = list.map((item) => boundedValue(withShortKeys(item, schema, keys), schema.items));
  return (keys === undefined ? items : uniqueBy(items, keys)).slice(0, schema.maxItems ?? Infinity);
}

function uniqueBy(items: readonly unknown[], keys: readonly string[]): readonly unknown[] {
  const byKey = new Map<string, unknown>();
  for (const item of items) {
    const key = JSON.stringify(keys.map((name) => (isRecord(item) ? ownValue(item, name) : item)));
    if (!byKey.has(key)) byKey.set(key, item);
  }
  return [...byKey.values()];
}

/** Names that tell entries apart are cut with a hash of the whole name, so that two stay two. */
function withShortKeys(item: unknown, schema: CrdSchema, keys: readonly string[] = []): unknown {
  if (!isRecord(item)) return item;
  const short = keys.flatMap((key) => {
    const text = ownValue(item, key);
    const maxLength = ownValue(schema.items?.properties, key)?.maxLength ?? Infinity;
    return typeof text === 'string' && text.length > maxLength ? [[key, withHash(text, maxLength)]] : [];
  });
  return short.length === 0 ? item : { ...item, ...Object.fromEntries(short) };
}

function withHash(text: string, maxCharacters: number): string {
  const characters = Array.from(text.toWellFormed());
  if (characters.length <= maxCharacters) return characters.join('');
  const digest = hash('sha256', text, 'hex').slice(0, hashLength);
  return `${characters.slice(0, maxCharacters - hashLength - 1).join('')}-${digest}`;
}

/** By Object.fromEntries, because a name such as `__proto__` is one like any other here. */
function boundedRecord(record: Readonly<Record<string, unknown>>, schema: CrdSchema): object {
  const entries = Object.entries(record).slice(0, schema.maxProperties ?? Infinity);
  return Object.fromEntries(entries.map(([name, value]) => [name, boundedValue(value, schemaOf(name, schema))]));
}

function schemaOf(name: string, { properties = {}, additionalProperties }: CrdSchema): CrdSchema | undefined {
  return ownValue(properties, name) ?? additionalProperties;
}
