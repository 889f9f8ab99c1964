/**
 * Conditions as Kubernetes' API conventions and kstatus read them.
 */
import type { ProxyConfigStatus } from './nodeConfig.ts';

/** metav1.Condition. */
export type Condition = NonNullable<ProxyConfigStatus['conditions']>[number];

/** A condition as it stands now, before it is known whether its status changed. */
export interface ConditionNow {
  readonly type: string;
  readonly status: Condition['status'];
  /** CamelCase, for machines. */
  readonly reason: string;
  /** A sentence for people. */
  readonly message: string;
}

/** What all conditions of one status have in common. */
export interface Stamp {
  /** The `metadata.generation` that the conditions are about. */
  readonly observedGeneration: number;
  readonly now: Date;
}

/**
 * The conditions that now hold, sorted by type. `lastTransitionTime` moves only when a condition's status does; a
 * condition of `before` that `current` does not name is gone.
 */
export function mergeConditions(
  before: readonly Condition[] | undefined,
  current: readonly ConditionNow[],
  stamp: Stamp,
): Condition[] {
  return current
    .map((condition) => transitioned(findCondition(before, condition.type), condition, stamp))
    .sort((one, other) => (one.type < other.type ? -1 : 1));
}

function transitioned(
  before: Condition | undefined,
  { type, status, reason, message }: ConditionNow,
  { observedGeneration, now }: Stamp,
): Condition {
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : toSeconds(now);
  return { type, status, reason, message, observedGeneration, lastTransitionTime };
}

/** The condition of that type; undefined where there is none. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * The time as metav1.Time has it: RFC 3339 in UTC, whole seconds. With fractions a server-side apply would never be a
 * no-op.
 */
export function toSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}
