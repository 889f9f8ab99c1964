/**
 * Services that are left out because the kernel or a tool refuses what they ask for, so that all the others can be
 * programmed.
 */
import type { ServiceKey } from '../../model/service.ts';
import type { QuarantinedService } from '../backend.ts';

/** The Services that are left out, by key. */
export type Quarantine = ReadonlyMap<ServiceKey, QuarantinedService>;

/** Those that are still left out when these have changed. */
export function withoutKeys(quarantine: Quarantine, keys: ReadonlySet<ServiceKey>): Quarantine {
  return new Map([...quarantine].filter(([key]) => !keys.has(key)));
}
