/**
 * @module One row of an admission table: values for one field that must be taken and values that must be refused.
 */
export interface Row {
  /** Where the value is put, e.g. `spec.masquerade.bit` or `spec.rollout.steps[0].pause`; a refusal must name it. */
  readonly field: string;
  /** Other fields of the object, by the same kind of path. */
  readonly given?: Readonly<Record<string, unknown>>;
  readonly accepted: readonly unknown[];
  /** `undefined` leaves the field out. */
  readonly refused: readonly unknown[];
  /** Where the refusal stands on another field than the one that is set. */
  readonly names?: string;
}

type Given = Row['given'];

const row = (field: string, given: Given, accepted: readonly unknown[], refused: readonly unknown[]): Row => ({
  field,
  ...(given && { given }),
  accepted,
  refused,
});

export const range = (field: string, minimum: number, maximum: number, given?: Given): Row =>
  row(field, given, [minimum, maximum], [minimum - 1, maximum + 1]);

export const atMost = (field: string, characters: number, given?: Given): Row =>
  row(field, given, ['a'.repeat(characters)], ['a'.repeat(characters + 1)]);

export const oneOf = (field: string, values: readonly string[], given?: Given): Row =>
  row(field, given, values, [
    '',
    values[0]?.toLowerCase() === values[0] ? values[0]?.toUpperCase() : values[0]?.toLowerCase(),
  ]);

export const time = (field: string, given?: Given): Row => row(field, given, ['2026-01-31T12:00:00Z'], ['yesterday']);

export const required = (field: string, value: unknown, given?: Given): Row => row(field, given, [value], [undefined]);

/** `count` different entries are taken, one more is not, and none may be there twice. */
export const distinct = (field: string, count: number, entry: (index: number) => unknown, given?: Given): Row =>
  row(field, given, [many(count, entry)], [many(count + 1, entry), [entry(0), entry(0)]]);

export const many = <Item>(count: number, entry: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => entry(index));

type Tree = Record<string | number, unknown>;

/** A copy of an object in which these paths hold these values; what leads there is made as needed. */
export function withValues(
  object: Readonly<Record<string, unknown>>,
  values: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const copy = structuredClone(object);
  for (const [path, value] of Object.entries(values))
    put(
      copy,
      path.split(/\.|\[(?=\d)|\](?:\.|$)/).filter((key) => key !== ''),
      value,
    );
  return copy;
}

function put(tree: Tree, [key = '', next, ...rest]: readonly string[], value: unknown): void {
  if (next === undefined && value === undefined) delete tree[key];
  else if (next === undefined) tree[key] = value;
  else {
    tree[key] ??= /^\d+$/.test(next) ? [] : {};
    put(tree[key] as Tree, [next, ...rest], value);
  }
}
