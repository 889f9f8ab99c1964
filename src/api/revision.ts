/**
 * The name of a node configuration's content: equal configuration, equal revision, on every node and in every
 * release.
 */
import { createHash } from 'node:crypto';
import { isRecord } from './isRecord.ts';
import type { NodeConfig } from './nodeConfig.ts';

/**
 * 12 hexadecimal digits of the SHA-256 of the configuration as canonical JSON; order of keys and absent fields do not
 * matter.
 */
export function revisionOf(config: NodeConfig): string {
  return createHash('sha256').update(canonicalJSON(config)).digest('hex').slice(0, 12);
}

function canonicalJSON(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) => (isRecord(child) ? sortedByKey(child) : child));
}

function sortedByKey(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1)));
}
