/**
 * What a person must know of a ProxyConfig, recorded once when it comes to be so. The status is the memory: the events
 * of a step from one written status to the next are recorded after it was written, so a restarted operator does not
 * repeat them.
 */
import { findCondition } from '../../api/conditions.ts';
import type { ProxyConfigStatus } from '../../api/nodeConfig.ts';
import { ownValue } from '../../api/ownValue.ts';

/** `message` becomes the note of the event. */
export interface StatusEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason:
    | 'Conflicted'
    | 'ConflictResolved'
    | 'RolloutStarted'
    | 'RolloutPaused'
    | 'RolloutComplete'
    | 'RolloutFailed'
    | 'RollingBack'
    | 'RolledBack'
    | 'DeprecatedMode';
  readonly message: string;
}

/** The events for the step from one status to the next; none where the same rollout goes on after a pause. */
export function statusEvents(before: ProxyConfigStatus | undefined, after: ProxyConfigStatus): StatusEvent[] {
  return [modeEvent(before, after), conflictEvent(before, after), rolloutEvent(before, after)].filter(
    (event) => event !== undefined,
  );
}

/** Once for each such mode that is asked for, not again for what else changes while it is. */
function modeEvent(before: ProxyConfigStatus | undefined, after: ProxyConfigStatus): StatusEvent | undefined {
  const was = findCondition(before?.conditions, 'DeprecatedMode');
  const is = findCondition(after.conditions, 'DeprecatedMode');
  if (is?.status !== 'True' || was?.reason === is.reason) return undefined;
  return { type: 'Warning', reason: 'DeprecatedMode', message: is.message };
}

function conflictEvent(before: ProxyConfigStatus | undefined, after: ProxyConfigStatus): StatusEvent | undefined {
  const was = findCondition(before?.conditions, 'Conflicted');
  const is = findCondition(after.conditions, 'Conflicted');
  if (is?.status === 'True')
    return was?.status === 'True' && was.message === is.message
      ? undefined
      : { type: 'Warning', reason: 'Conflicted', message: is.message };
  if (was?.status === 'True')
    return {
      type: 'Normal',
      reason: 'ConflictResolved',
      message: 'no other ProxyConfig of the same priority governs nodes that this selects',
    };
  return undefined;
}

function rolloutEvent(
  before: ProxyConfigStatus | undefined,
  { rollout: is, conditions, observedGeneration }: ProxyConfigStatus,
): StatusEvent | undefined {
  if (is?.state === undefined || isUnchanged(before?.rollout, is)) return undefined;
  const event = ownValue(eventByState, is.state);
  const why = findCondition(conditions, 'Ready')?.message;
  return event && { ...event, message: `revision ${is.revision} of generation ${observedGeneration}: ${why}` };
}

/** The same rollout is where it was, or goes on after a pause. */
function isUnchanged(was: RolloutStatus | undefined, is: RolloutStatus): boolean {
  const isSameRollout = was?.revision === is.revision && was?.startedAt === is.startedAt;
  return isSameRollout && (was?.state === is.state || (was?.state === 'Paused' && is.state === 'Progressing'));
}

type RolloutStatus = NonNullable<ProxyConfigStatus['rollout']>;
type RolloutState = NonNullable<RolloutStatus['state']>;

const eventByState: Partial<Record<RolloutState, Pick<StatusEvent, 'type' | 'reason'>>> = {
  Progressing: { type: 'Normal', reason: 'RolloutStarted' },
  Paused: { type: 'Normal', reason: 'RolloutPaused' },
  Complete: { type: 'Normal', reason: 'RolloutComplete' },
  Failed: { type: 'Warning', reason: 'RolloutFailed' },
  RollingBack: { type: 'Warning', reason: 'RollingBack' },
  RolledBack: { type: 'Warning', reason: 'RolledBack' },
};
