/**
 * The status of the dataplane, for the report, the health checks and the metrics.
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { Refusal } from '../../backend/backend.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';
import { removalCondition } from './removalCondition.ts';
import type { SyncStatus } from './syncStatus.ts';

export interface DataplaneStatus {
  /** What the sync loops work towards; undefined before the first configuration was accepted. */
  readonly accepted: DesiredConfig | undefined;
  /** What the kernel's rules were completely made from, in every family; undefined before that happened once. */
  readonly inForce: DesiredConfig | undefined;
  /** One for each family that is served and wanted: the node has it, or a Service. */
  readonly families: readonly SyncStatus[];
  /** Families of the node that are not served although the others are: the node lacks what they need. */
  readonly unserved?: readonly UnservedFamily[];
  /** Whether the mode in force is new, and may still be given up for the one before. */
  readonly isProbing?: boolean;
  /** Whether nothing that another mode made is left in the kernel. */
  readonly areOthersRemoved?: boolean;
  /** What is left of modes that no longer serve. */
  readonly conditions?: readonly NodeConditionNow[];
}

/**
 * Of a family that nothing asks for any more, while its rules cannot be brought to that: it serves nobody, so it does
 * not keep the node from being Ready. Undefined where all is well.
 */
export function idleFamilyCondition(idle: readonly SyncStatus[]): NodeConditionNow | undefined {
  const failed = idle.find(({ error }) => error !== undefined);
  if (failed?.error === undefined) return undefined;
  const message = `No Service of ${failed.family} is left, and its rules could not be taken away yet: ${failed.error.message}`;
  return removalCondition('RemovalFailed', message);
}

export interface UnservedFamily {
  readonly family: IPFamily;
  readonly why: Refusal;
}
