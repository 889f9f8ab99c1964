/**
 * Tells a conflict once when it appears and once when it is over. The condition in the status is the memory, so a restarted
 * operator does not tell it again.
 */
import { findCondition, type Condition } from '../api/conditions.ts';

export interface ConflictEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: 'Conflicted' | 'ConflictResolved';
  readonly message: string;
}

/** The event for the step from one status to the next; undefined where the conflict is as before. */
export function conflictEvent(before: readonly Condition[] | undefined, after: readonly Condition[] | undefined): ConflictEvent | undefined {
  const was = findCondition(before, 'Conflicted');
  const is = findCondition(after, 'Conflicted');
  if (is?.status === 'True') return was?.status === 'True' && was.message === is.message ? undefined : { type: 'Warning', reason: 'Conflicted', message: is.message };
  if (was?.status === 'True') return { type: 'Normal', reason: 'ConflictResolved', message: 'no other ProxyConfig of the same priority governs nodes that this selects' };
  return undefined;
}
