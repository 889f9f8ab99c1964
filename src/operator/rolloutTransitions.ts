/**
 * Where a rollout goes next.
 *
 * Everything that must outlive this process is in the ProxyConfig's status, and nothing is told to a node before the
 * API server has it: whoever goes on after a crash starts from a status that is as far as the nodes or further.
 */
import { toSeconds } from '../api/conditions.ts';
import type { ProxyConfig } from '../api/generated/proxyConfig.ts';
import type { NodeOutcome } from './nodeOutcome.ts';
import {
  currentStep,
  failedNodes,
  hasStalled,
  hasWayBack,
  isBack,
  isComplete,
  isDone,
  isTaken,
  lastCompleted,
  lastDoneAt,
  portion,
  type Rollout,
  type Situation,
} from './rolloutState.ts';

/** The state after this one, or the same where nothing has happened; `revision` and `state` are always there. */
export function nextRollout(situation: Situation): Rollout {
  const rollout = begun(situation);
  return transitions[rollout.state](situation, rollout);
}

const stay = (_situation: Situation, rollout: Rollout): Rollout => rollout;

const transitions: Record<Rollout['state'], (situation: Situation, rollout: Rollout) => Rollout> = {
  Idle: advanced,
  Progressing: advanced,
  Paused: advanced,
  Complete: stay,
  RolledBack: stay,
  Failed: (situation, rollout) => (isComplete(situation) ? ended(rollout, 'Complete', situation) : rollout),
  RollingBack: (situation, rollout) => {
    if (!hasWayBack(situation, rollout)) return ended(rollout, 'Failed', situation);
    return isBack(situation, rollout) ? ended(rollout, 'RolledBack', situation) : rollout;
  },
};

function begun(situation: Situation): Rollout {
  const { config, revision } = situation.target;
  const { rollout: before, observedGeneration } = config.status ?? {};
  if (before?.revision !== revision || before.state === undefined || before.state === 'Idle') return started(situation);
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

/** Nothing has begun, so there is no time to tell: two looks at nothing give the same status. */
function idle({ revision, previousRevision }: Rollout): Rollout {
  return { revision, ...(previousRevision === undefined ? {} : { previousRevision }), state: 'Idle' };
}

function afterFailure(situation: Situation, rollout: Rollout): Rollout | undefined {
  const { outcomes, target } = situation;
  const { onFailure, maxFailures } = target.config.spec.rollout;
  const failed = failedNodes(situation);
  // Few failures may be tolerated, but not that they use up the budget and nothing moves any more.
  const isStuck = failed.length > 0 && hasStalled(situation);
  const hasFailedEnough = isStuck || failed.length >= portion(maxFailures, outcomes.length);
  return hasFailedEnough ? failureResponses[onFailure](situation, rollout, failed) : undefined;
}

type FailureResponse = (situation: Situation, rollout: Rollout, failed: readonly NodeOutcome[]) => Rollout | undefined;

const failureResponses: Record<ProxyConfig['spec']['rollout']['onFailure'], FailureResponse> = {
  Rollback: (situation, rollout) =>
    hasWayBack(situation, rollout)
      ? { ...inTransit(rollout), state: 'RollingBack' }
      : ended(rollout, 'Failed', situation),
  Pause: (situation, rollout) => ended(rollout, 'Failed', situation),
  Continue: goneOn,
};

/** Ends when every node has had its turn, or when failed nodes have used up the budget and nothing moves any more. */
function goneOn(situation: Situation, rollout: Rollout, failed: readonly NodeOutcome[]): Rollout | undefined {
  const { outcomes, target } = situation;
  const hasHadItsTurn = (outcome: NodeOutcome): boolean =>
    failed.includes(outcome) || outcome.ignoredAsUnreachable || isDone(outcome, target.revision, situation);
  if (outcomes.every(hasHadItsTurn)) {
    const someServe = outcomes.some((outcome) => isDone(outcome, target.revision, situation));
    return ended(rollout, someServe ? 'Complete' : 'Failed', situation);
  }
  return hasStalled(situation) ? ended(rollout, 'Failed', situation) : undefined;
}

function stepped(situation: Situation, rollout: Rollout): Rollout {
  const steps = situation.target.config.spec.rollout.steps ?? [];
  const index = currentStep(rollout);
  const step = index === undefined ? undefined : steps[index - 1];
  if (index === undefined || step === undefined) return { ...inTransit(rollout), state: 'Progressing' };
  const current: Rollout = {
    ...rollout,
    step: `${index}/${steps.length}`,
    state: step.pause === undefined ? 'Progressing' : 'Paused',
  };
  if (!isTaken(situation, current)) return current;
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

/** Without what belongs to a step or an end. */
function inTransit({ step: _step, stepStartedAt: _since, completedAt: _end, ...rollout }: Rollout): Rollout {
  return rollout;
}

function ended(rollout: Rollout, state: Rollout['state'], { clock }: Situation): Rollout {
  return { ...inTransit(rollout), state, completedAt: seconds(clock.now) };
}

function seconds(at: number): string {
  return toSeconds(new Date(at));
}
