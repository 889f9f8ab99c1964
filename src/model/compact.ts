const nothing: readonly never[] = [];

/**
 * An equal list without V8's spare capacity, which is that of 16 entries; all empty lists are one. A node keeps lists
 * of every object.
 */
export function compact<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? nothing : list.slice();
}
