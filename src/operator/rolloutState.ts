/**
 * Where a rollout stands and where it goes next. docs/DESIGN.md has a picture of the states.
 *
 * Everything that must outlive this process is in the ProxyConfig's status, and nothing is told to a node before the
 * API server has it: whoever goes on after a crash starts from a status that is as far as the nodes or further.
 */
import { toSeconds } from '../api/conditions.ts';
import type { ProxyConfigStatus } from '../api/nodeConfig.ts';
import type { ProxyConfig } from '../api/generated/proxyConfig.ts';
import type { NodeOutcome } from './nodeOutcome.ts';
import type { Target } from './resolve.ts';
import type { Clock } from './since.ts';

type RolloutStatus = NonNullable<ProxyConfigStatus['rollout']>;
export type Rollout = RolloutStatus & Required<Pick<RolloutStatus, 'revision' | 'state'>>;

export interface Situation {
  readonly target: Target;
  /** One for each node that the ProxyConfig governs, by name. */
  readonly outcomes: readonly NodeOutcome[];
  readonly clock: Clock;
  /** When something last moved: a node became done, the rollout came to another state or step, or its spec changed. */
  readonly quietSince: number;
  /** Whether the configuration of a revision can still be had. */
  readonly hasRevision: (revision: string) => boolean;
}

export function situationOf({ target, outcomes, clock, hasRevision }: Omit<Situation, 'quietSince'>): Situation {
  const { config, revision } = target;
  const { state, step, previousRevision } = config.status?.rollout ?? {};
  const changed = clock.since(
    'rollout',
    config.metadata.uid ?? '',
    [revision, previousRevision, state, step, config.metadata.generation].join(' '),
  );
  return {
    target,
    outcomes,
    clock,
    hasRevision,
    quietSince: Math.max(changed, lastDoneAt({ target, outcomes, clock }) ?? changed),
  };
}

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

/** The last revision that was rolled out to the end: what new nodes get, and what a rollback goes to. */
export function stableRevision({ hasRevision }: Pick<Situation, 'hasRevision'>, rollout: Rollout): string | undefined {
  const stable = lastCompleted(rollout);
  return stable !== undefined && hasRevision(stable) ? stable : undefined;
}

/** Of everything in a status, what nodes are told by: it has to be on the API server first. */
export function isRecorded(rollout: Rollout, status: ProxyConfigStatus | undefined): boolean {
  const recorded = status?.rollout;
  return (['revision', 'previousRevision', 'state', 'step'] as const).every(
    (field) => rollout[field] === recorded?.[field],
  );
}

/** Runs the revision, and has for long enough. */
export function isDone(
  outcome: NodeOutcome,
  revision: string,
  { target, clock }: Pick<Situation, 'target' | 'clock'>,
): boolean {
  return outcome.told === revision && outcome.belongs && isSettled(outcome.readySince, { target, clock });
}

export function isSettled(readySince: number, { target, clock }: Pick<Situation, 'target' | 'clock'>): boolean {
  return clock.now - readySince >= target.config.spec.rollout.minReadySeconds * 1000;
}

/** Nodes that count against maxFailures: in reach, told the revision, and refusing it or too late with it. */
function failedNodes(situation: Situation): NodeOutcome[] {
  return situation.outcomes.filter((outcome) => hasFailed(outcome, situation.target) || isOverdue(outcome, situation));
}

export function isOverdue(outcome: NodeOutcome, situation: Situation): boolean {
  const { target, clock } = situation;
  const isInChange =
    outcome.reachable &&
    outcome.belongs &&
    outcome.told === target.revision &&
    outcome.phase !== 'Failed' &&
    !isDone(outcome, target.revision, situation);
  return isInChange && clock.now - Math.max(outcome.toldSince, situation.quietSince) >= deadlineMs(target);
}

/** A number, or a percentage of the total rounded up. */
export function portion(value: number | string, total: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) * total) / 100);
}

/** The step that is being taken, counted from 1; undefined when none is left. */
export function currentStep({ step }: Rollout): number | undefined {
  return step === undefined ? undefined : Number.parseInt(step, 10);
}

/** Milliseconds until something may change by time alone. */
export function nextLookMs(situation: Situation, rollout: Rollout): number | undefined {
  const { target, outcomes, clock } = situation;
  const { minReadySeconds } = target.config.spec.rollout;
  const due = [
    ...outcomes.map(({ readySince }) => readySince + minReadySeconds * 1000),
    ...outcomes.map(({ toldSince }) => toldSince + deadlineMs(target)),
    ...outcomes
      .filter(({ reachable }) => !reachable)
      .map(({ node }) => clock.since('reach', node, 'false') + deadlineMs(target)),
    situation.quietSince + deadlineMs(target),
    pauseEnds(situation, rollout) ?? Infinity,
  ];
  const next = due.reduce((least, at) => (at > clock.now && at < least ? at : least), Infinity);
  return next === Infinity ? undefined : next - clock.now;
}

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

function lastCompleted(rollout: RolloutStatus | undefined): string | undefined {
  return rollout?.state === 'Complete' ? rollout.revision : rollout?.previousRevision;
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

function isComplete(situation: Situation): boolean {
  const { outcomes, target } = situation;
  const isFinished = (outcome: NodeOutcome): boolean =>
    isDone(outcome, target.revision, situation) ||
    (outcome.excused && outcome.belongs && outcome.told === target.revision);
  return outcomes.every(isFinished) && outcomes.some(({ excused }) => !excused);
}

function afterFailure(situation: Situation, rollout: Rollout): Rollout | undefined {
  const { outcomes, target, clock, quietSince } = situation;
  const { onFailure, maxFailures } = target.config.spec.rollout;
  const failed = failedNodes(situation);
  // Few failures may be tolerated, but not that they use up the budget and nothing moves any more.
  const isStuck = failed.length > 0 && clock.now - quietSince >= deadlineMs(target);
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

function hasWayBack(situation: Situation, rollout: Rollout): boolean {
  const stable = stableRevision(situation, rollout);
  return stable !== undefined && stable !== rollout.revision;
}

/** Ends when every node has had its turn, or when failed nodes have used up the budget and nothing moves any more. */
function goneOn(situation: Situation, rollout: Rollout, failed: readonly NodeOutcome[]): Rollout | undefined {
  const { outcomes, target, clock } = situation;
  const hasHadItsTurn = (outcome: NodeOutcome): boolean =>
    failed.includes(outcome) || outcome.excused || isDone(outcome, target.revision, situation);
  if (outcomes.every(hasHadItsTurn)) {
    const someServe = outcomes.some((outcome) => isDone(outcome, target.revision, situation));
    return ended(rollout, someServe ? 'Complete' : 'Failed', situation);
  }
  return clock.now - situation.quietSince >= deadlineMs(target) ? ended(rollout, 'Failed', situation) : undefined;
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

function isTaken(situation: Situation, rollout: Rollout): boolean {
  const { target, outcomes, clock } = situation;
  const { setNodes, pause } = target.config.spec.rollout.steps?.[(currentStep(rollout) ?? 0) - 1] ?? {};
  if (pause !== undefined) return clock.now >= (pauseEnds(situation, rollout) ?? Infinity);
  const within = outcomes.filter(({ excused }) => !excused).length;
  return (
    outcomes.filter((outcome) => isDone(outcome, target.revision, situation)).length >=
    Math.min(within, portion(setNodes ?? 0, outcomes.length))
  );
}

/**
 * By the written time, so that a pause of a week does not begin anew with every operator; all write the API server's.
 * One that began in the future, by a clock that was set back since, counts from where this process first saw it.
 */
function pauseEnds({ target, clock }: Situation, rollout: Rollout): number | undefined {
  const { pause } = target.config.spec.rollout.steps?.[(currentStep(rollout) ?? 0) - 1] ?? {};
  if (pause?.seconds === undefined) return undefined;
  const seen = clock.since(
    'pause',
    target.config.metadata.uid ?? '',
    `${rollout.revision} ${rollout.step} ${rollout.stepStartedAt}`,
  );
  const began = Math.min(Date.parse(rollout.stepStartedAt ?? ''), seen) || seen;
  return began + pause.seconds * 1000;
}

/** Back when every node was told to go back and none is at it any more, or nothing has moved for the whole deadline. */
function isBack(situation: Situation, rollout: Rollout): boolean {
  const { outcomes, target, clock, quietSince } = situation;
  const stable = lastCompleted(rollout);
  return (
    outcomes.every(({ told }) => told === stable) &&
    (!outcomes.some(isAtIt) || clock.now - quietSince >= deadlineMs(target))
  );
}

function isAtIt({ reachable, phase }: NodeOutcome): boolean {
  return reachable && phase === 'Changing';
}

function hasFailed({ told, belongs, phase, reachable }: NodeOutcome, { revision }: Target): boolean {
  return reachable && belongs && phase === 'Failed' && told === revision;
}

function lastDoneAt({ target, outcomes, clock }: Pick<Situation, 'target' | 'outcomes' | 'clock'>): number | undefined {
  const done = outcomes
    .filter((outcome) => isDone(outcome, target.revision, { target, clock }))
    .map(({ readySince }) => readySince + target.config.spec.rollout.minReadySeconds * 1000);
  return done.length === 0 ? undefined : done.reduce((latest, at) => Math.max(latest, at));
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

function deadlineMs({ config }: Target): number {
  return config.spec.rollout.progressDeadlineSeconds * 1000;
}

function seconds(at: number): string {
  return toSeconds(new Date(at));
}
