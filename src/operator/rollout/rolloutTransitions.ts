/**
 * The state machine of a rollout: from the state in the status and the nodes as they are to the next state.
 *
 * What the caller may rely on: `nextRollout` takes one ProxyConfig's situation and returns the `status.rollout` that it
 * should have now, the same where nothing has happened. It writes nothing and assigns nothing: which nodes get which
 * revision follows from the state by rollout.ts, and only once the state is on the API server (`isRecorded`).
 *
 * Goals:
 *  1. A crash between any two writes loses nothing: whoever goes on decides as this process would have.
 *  2. A revision that has failed is not tried again by itself.
 *  3. A rollout ends: it does not wait for ever for a node that fails, is silent or is away.
 *  4. A revision that fails does not spread: the rollout stops at maxFailures failed nodes.
 *  5. A rollback is possible, or it is not begun.
 *
 * How each is met:
 *  1. There is no memory but the status. It is written before nodes are assigned anything, so it is as far as the nodes
 *     or further: a failed rollout reads RollingBack before the first node goes back, and a successor cannot take nodes
 *     that have gone back for a healthy rollout.
 *  2. `begun` starts a rollout where the target's revision is another than the status has, or no state is there. From
 *     RolledBack and Failed it starts the same revision anew only where the spec's generation has changed since.
 *  3. Idle, Progressing and Paused are left as soon as the nodes allow it (`advanced`, in this order: no node, all
 *     done, spec.paused, failures, steps). A node that is done has been Ready for minReadySeconds; one that is out of
 *     reach for progressDeadlineSeconds, or comes and goes, is neither waited for nor counted as failed; one that is silent for as long,
 *     while nothing else has progressed either, is overdue and counts as failed.
 *  4. maxFailures failed nodes, or fewer when nothing has progressed for progressDeadlineSeconds because they use up
 *     maxUnavailable, are what `onFailure` says: Rollback, Pause (state Failed) or Continue, which is Complete when the
 *     last node has been tried and one serves. Paused by spec, failures are not acted on; they are when it goes on.
 *  5. RollingBack needs a completed revision other than this one whose configuration is kept (`canRollBack`), else the
 *     rollout is Failed. RollingBack becomes RolledBack when all nodes have gone back, or have been
 *     assigned to and progress no more for the deadline; it never becomes Complete.
 *
 * Complete, RolledBack and Failed last until a new revision or, for the latter two, a new generation; only a Failed one
 * becomes Complete when all nodes get done after all. Steps are taken one after the other within one call, as far as
 * nodes and pauses allow (`stepped`); their number and start are in the status, so a pause survives a restart.
 *
 * Concurrency: pure and synchronous but for the clock, which remembers since when things are as they are; to be called
 * once in a reconciliation with the situation of that reconciliation.
 */
import { toSeconds } from '../../api/conditions.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { ownValue } from '../../api/ownValue.ts';
import type { NodeOutcome } from './nodeOutcome.ts';
import {
  currentStep,
  failedNodes,
  hasStalled,
  canRollBack,
  isRolledBack,
  isComplete,
  isDone,
  isStepOver,
  lastCompleted,
  lastDoneAt,
  portion,
  stepOf,
  type Rollout,
  type Situation,
} from './rolloutState.ts';

/** The state after the one in the status, or the same; `revision` and `state` are always there. Never throws. */
export function nextRollout(situation: Situation): Rollout {
  const rollout = begun(situation);
  return (transitions.get(rollout.state) ?? advanced)(situation, rollout);
}

const stay = (_situation: Situation, rollout: Rollout): Rollout => rollout;

type Transition = (situation: Situation, rollout: Rollout) => Rollout;

const transitions: ReadonlyMap<Rollout['state'], Transition> = new Map<Rollout['state'], Transition>([
  ['Idle', advanced],
  ['Progressing', advanced],
  ['Paused', advanced],
  ['Complete', stay],
  ['RolledBack', stay],
  ['Failed', (situation, rollout) => (isComplete(situation) ? ended(rollout, 'Complete', situation) : rollout)],
  [
    'RollingBack',
    (situation, rollout) => {
      if (!canRollBack(situation, rollout)) return ended(rollout, 'Failed', situation);
      return isRolledBack(situation, rollout) ? ended(rollout, 'RolledBack', situation) : rollout;
    },
  ],
]);

/** A state that another version of the operator wrote, and this one does not know, is begun anew. */
function begun(situation: Situation): Rollout {
  const { config, revision } = situation.target;
  const { rollout: before, observedGeneration } = config.status ?? {};
  if (before?.revision !== revision || before.state === undefined || before.state === 'Idle') return started(situation);
  if (!transitions.has(before.state)) return started(situation);
  const hasGivenUp = before.state === 'RolledBack' || before.state === 'Failed';
  return hasGivenUp && observedGeneration !== config.metadata.generation
    ? started(situation)
    : { ...before, revision, state: before.state };
}

function started({ target, clock }: Situation): Rollout {
  const { config, revision } = target;
  const previousRevision = lastCompleted(config.status?.rollout);
  const now = seconds(clock.now);
  // What was rolled out to the end before needs no canary.
  const steps = previousRevision === revision ? 0 : (config.spec.rollout.steps?.length ?? 0);
  return {
    revision,
    ...(previousRevision === undefined ? {} : { previousRevision }),
    state: 'Progressing',
    ...(steps === 0 ? {} : { step: `1/${steps}`, stepStartedAt: now }),
    startedAt: now,
    lastProgressAt: now,
  };
}

function advanced(situation: Situation, rollout: Rollout): Rollout {
  const { paused } = situation.target.config.spec;
  if (situation.outcomes.length === 0) return idle(rollout);
  if (isComplete(situation)) return ended(withProgress(situation, rollout), 'Complete', situation);
  if (paused) return { ...withProgress(situation, rollout), state: 'Paused' };
  return afterFailure(situation, rollout) ?? stepped(situation, withProgress(situation, rollout));
}

/** Nothing has begun, so there are no times: two reconciliations without nodes give the same status. */
function idle({ revision, previousRevision }: Rollout): Rollout {
  return { revision, ...(previousRevision === undefined ? {} : { previousRevision }), state: 'Idle' };
}

function afterFailure(situation: Situation, rollout: Rollout): Rollout | undefined {
  const { outcomes, target } = situation;
  const { onFailure, maxFailures } = target.config.spec.rollout;
  const failed = failedNodes(situation);
  // Few failures may be tolerated, but not that they use up the budget and nothing progresses.
  const isStuck = failed.length > 0 && hasStalled(situation);
  const hasFailedEnough = isStuck || failed.length >= portion(maxFailures, outcomes.length);
  return hasFailedEnough ? ownValue(failureResponses, onFailure)?.(situation, rollout, failed) : undefined;
}

type FailureResponse = (situation: Situation, rollout: Rollout, failed: readonly NodeOutcome[]) => Rollout | undefined;

const failureResponses: Record<ProxyConfig['spec']['rollout']['onFailure'], FailureResponse> = {
  Rollback: (situation, rollout) =>
    canRollBack(situation, rollout)
      ? { ...withoutStepAndEnd(rollout), state: 'RollingBack' }
      : ended(rollout, 'Failed', situation),
  Pause: (situation, rollout) => ended(rollout, 'Failed', situation),
  Continue: continued,
};

/** Ends when every node has been tried, or when failed nodes have used up the budget and nothing progresses. */
function continued(situation: Situation, rollout: Rollout, failed: readonly NodeOutcome[]): Rollout | undefined {
  const { outcomes, target } = situation;
  const hasBeenTried = (outcome: NodeOutcome): boolean =>
    failed.includes(outcome) || outcome.ignoredAsUnreachable || isDone(outcome, target.revision, situation);
  if (outcomes.every(hasBeenTried)) {
    const someServe = outcomes.some((outcome) => isDone(outcome, target.revision, situation));
    return ended(rollout, someServe ? 'Complete' : 'Failed', situation);
  }
  return hasStalled(situation) ? ended(rollout, 'Failed', situation) : undefined;
}

function stepped(situation: Situation, rollout: Rollout): Rollout {
  const steps = situation.target.config.spec.rollout.steps ?? [];
  const index = currentStep(rollout);
  const step = stepOf(situation, rollout);
  if (index === undefined || step === undefined) return { ...withoutStepAndEnd(rollout), state: 'Progressing' };
  const current: Rollout = {
    ...rollout,
    step: `${index}/${steps.length}`,
    state: step.pause === undefined ? 'Progressing' : 'Paused',
  };
  if (!isStepOver(situation, current)) return current;
  return stepped(situation, {
    ...current,
    step: `${index + 1}/${steps.length}`,
    stepStartedAt: seconds(situation.clock.now),
  });
}

function withProgress(situation: Situation, rollout: Rollout): Rollout {
  const done = lastDoneAt(situation);
  const isLater = done !== undefined && done > (Date.parse(rollout.lastProgressAt ?? '') || 0);
  return isLater ? { ...rollout, lastProgressAt: seconds(done) } : rollout;
}

/** Without the fields of a step and of an end. */
function withoutStepAndEnd({ step: _step, stepStartedAt: _since, completedAt: _end, ...rollout }: Rollout): Rollout {
  return rollout;
}

function ended(rollout: Rollout, state: Rollout['state'], { clock }: Situation): Rollout {
  return { ...withoutStepAndEnd(rollout), state, completedAt: seconds(clock.now) };
}

function seconds(at: number): string {
  return toSeconds(new Date(at));
}
