/**
 * A field of a value that came as JSON and that nobody has checked; undefined where the value has no such field of its
 * own: it is another kind of value, or only what all objects inherit has the name.
 */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  // oxlint-disable-next-line own/keys -- asked before
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** That field where it is a text that is not empty. */
export function textOf(value: unknown, name: string): string | undefined {
  const field = fieldOf(value, name);
  return typeof field === 'string' && field !== '' ? field : undefined;
}
