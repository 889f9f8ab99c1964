/**
 * The value of a key that somebody else chose, such as the name of a label; undefined where the record has no such key
 * of its own. `record[key]` would find what every object inherits, too: a label `constructor` on every node.
 */
export function ownValue<Value>(
  record: Readonly<Record<string, Value>> | undefined,
  key: string | undefined,
): Value | undefined {
  // oxlint-disable-next-line own/keys -- the one place where it is asked before
  return record !== undefined && key !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}
