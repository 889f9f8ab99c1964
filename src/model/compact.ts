const nothing: readonly never[] = [];

/**
 * The same list without the room in which it could grow, which is that of 16 entries, and one for all that are empty: a
 * node keeps lists of every object.
 */
export function compact<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? nothing : list.slice();
}
