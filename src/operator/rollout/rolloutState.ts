/**
 * The state of a rollout, and the predicates of it and of its nodes. docs/DESIGN.md has a picture of the states;
 * rolloutTransitions.ts goes from one to the next.
 *
 * Every function is pure but for the clock, which remembers since when a value has been seen (since.ts). Times are
 * milliseconds since the epoch by that clock; only the start of a pause is read from the status (`pauseEnds`).
 */
import type { ProxyConfigStatus } from '../../api/nodeConfig.ts';
import type { NodeOutcome } from './nodeOutcome.ts';
import type { Target } from './resolve.ts';
import type { Clock } from './since.ts';

type RolloutStatus = NonNullable<ProxyConfigStatus['rollout']>;
/** `status.rollout`, of which revision and state are always there once a rollout has begun. */
export type Rollout = RolloutStatus & Required<Pick<RolloutStatus, 'revision' | 'state'>>;

/** What a reconciliation knows of one ProxyConfig when it decides on its rollout. */
export interface Situation {
  readonly target: Target;
  /** One for each node that the ProxyConfig governs, by name. */
  readonly outcomes: readonly NodeOutcome[];
  readonly clock: Clock;
  /**
   * When the rollout last progressed: a node became done, the rollout came to another state or step, or its spec
   * changed.
   */
  readonly quietSince: number;
  /** Whether the configuration of a revision can still be had. */
  readonly hasRevision: (revision: string) => boolean;
  /** What nodes serve from a ProxyConfig of the same name before this one (inherited.ts). */
  readonly inherited?: string | undefined;
}

/** With `quietSince` from the clock: to be called once in a reconciliation, also where nothing else is asked. */
export function situationOf({
  target,
  outcomes,
  clock,
  hasRevision,
  inherited,
}: Omit<Situation, 'quietSince'>): Situation {
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
    inherited,
    quietSince: Math.max(changed, lastDoneAt({ target, outcomes, clock }) ?? changed),
  };
}

/** The last revision that was rolled out to the end: what new nodes get, and what a rollback goes to. */
export function stableRevision({ hasRevision }: Pick<Situation, 'hasRevision'>, rollout: Rollout): string | undefined {
  const stable = lastCompleted(rollout);
  return stable !== undefined && hasRevision(stable) ? stable : undefined;
}

/** Whether there is another completed revision to go back to, whose configuration is kept. */
export function canRollBack(situation: Situation, rollout: Rollout): boolean {
  const stable = stableRevision(situation, rollout);
  return stable !== undefined && stable !== rollout.revision;
}

/** The revision that was completed last, also where its configuration can no longer be had; undefined for none. */
export function lastCompleted(rollout: RolloutStatus | undefined): string | undefined {
  return rollout?.state === 'Complete' ? rollout.revision : rollout?.previousRevision;
}

/** Whether the API server has all of a status that assignments follow from; before that, none is made. */
export function isRecorded(rollout: Rollout, status: ProxyConfigStatus | undefined): boolean {
  const recorded = status?.rollout;
  return (
    rollout.revision === recorded?.revision &&
    rollout.previousRevision === recorded.previousRevision &&
    rollout.state === recorded.state &&
    rollout.step === recorded.step
  );
}

/** Runs the revision, and has for long enough. */
export function isDone(
  outcome: NodeOutcome,
  revision: string,
  { target, clock }: Pick<Situation, 'target' | 'clock'>,
): boolean {
  return outcome.assigned === revision && outcome.belongs && isSettled(outcome.readySince, { target, clock });
}

/** Ready for minReadySeconds. */
export function isSettled(readySince: number, { target, clock }: Pick<Situation, 'target' | 'clock'>): boolean {
  return clock.now - readySince >= target.config.spec.rollout.minReadySeconds * 1000;
}

/** Nodes that count against maxFailures: in reach, assigned the revision, and refusing it or too late with it. */
export function failedNodes(situation: Situation): NodeOutcome[] {
  return situation.outcomes.filter((outcome) => hasFailed(outcome, situation.target) || isOverdue(outcome, situation));
}

function hasFailed({ assigned, belongs, phase, reachable }: NodeOutcome, { revision }: Target): boolean {
  return reachable && belongs && phase === 'Failed' && assigned === revision;
}

/** Assigned the revision, in reach, and neither done nor refusing it for the whole progressDeadlineSeconds. */
export function isOverdue(outcome: NodeOutcome, situation: Situation): boolean {
  const { target, clock } = situation;
  const isInChange =
    outcome.reachable &&
    outcome.belongs &&
    outcome.assigned === target.revision &&
    outcome.phase !== 'Failed' &&
    !isDone(outcome, target.revision, situation);
  return isInChange && clock.now - Math.max(outcome.assignedSince, situation.quietSince) >= deadlineMs(target);
}

/** The rollout has not progressed for the whole progressDeadlineSeconds. */
export function hasStalled({ target, clock, quietSince }: Situation): boolean {
  return clock.now - quietSince >= deadlineMs(target);
}

/** Every node is done, or assigned the revision while it is out of reach for long; one at least is done. */
export function isComplete(situation: Situation): boolean {
  const { outcomes, target } = situation;
  const isFinished = (outcome: NodeOutcome): boolean =>
    isDone(outcome, target.revision, situation) ||
    (outcome.ignoredAsUnreachable && outcome.belongs && outcome.assigned === target.revision);
  return outcomes.every(isFinished) && outcomes.some(({ ignoredAsUnreachable }) => !ignoredAsUnreachable);
}

/**
 * Rolled back: every node is assigned the last completed revision, and none in reach is still changing, or nothing has
 * progressed for the whole deadline.
 */
export function isRolledBack(situation: Situation, rollout: Rollout): boolean {
  const { outcomes } = situation;
  const stable = lastCompleted(rollout);
  return (
    outcomes.every(({ assigned }) => assigned === stable) && (!outcomes.some(isStillChanging) || hasStalled(situation))
  );
}

function isStillChanging({ reachable, phase }: NodeOutcome): boolean {
  return reachable && phase === 'Changing';
}

/**
 * Whether a node takes a place in a step and may pass it: not one that never served, is away for long or comes and goes,
 * for what is seen of it proves nothing.
 */
export function takesSteps({ ignoredAsUnreachable, neverServed, unsteady }: NodeOutcome): boolean {
  return !ignoredAsUnreachable && !neverServed && !unsteady;
}

/** Done, and in reach all the time that it takes to be: a report may be older than what became of the node since. */
function isProven(outcome: NodeOutcome, { target, clock }: Situation): boolean {
  return isDone(outcome, target.revision, { target, clock }) && isSettled(outcome.inReachSince, { target, clock });
}

/**
 * Whether the current step is over: its pause has ended, or so many nodes as it sets are done and in reach, or all of
 * them where fewer are, but one at least.
 */
export function isStepOver(situation: Situation, rollout: Rollout): boolean {
  const { target, outcomes, clock } = situation;
  const { setNodes, pause } = stepOf({ target }, rollout) ?? {};
  if (pause !== undefined) return clock.now >= (pauseEnds(situation, rollout) ?? Infinity);
  const within = outcomes.filter(takesSteps);
  return (
    within.filter((outcome) => isProven(outcome, situation)).length >=
    Math.min(Math.max(1, within.length), portion(setNodes ?? 0, outcomes.length))
  );
}

/**
 * By the written time, so that a pause of a week does not begin anew with every operator; all write the API server's.
 * One that began in the future, by a clock that was set back since, counts from where this process first saw it.
 */
function pauseEnds({ target, clock }: Situation, rollout: Rollout): number | undefined {
  const { pause } = stepOf({ target }, rollout) ?? {};
  if (pause?.seconds === undefined) return undefined;
  const seen = clock.since(
    'pause',
    target.config.metadata.uid ?? '',
    `${rollout.revision} ${rollout.step} ${rollout.stepStartedAt}`,
  );
  const began = Math.min(Date.parse(rollout.stepStartedAt ?? ''), seen) || seen;
  return began + pause.seconds * 1000;
}

/** Milliseconds until something may change by time alone; undefined for never. */
export function msUntilNextChange(situation: Situation, rollout: Rollout): number | undefined {
  const { target, outcomes, clock } = situation;
  const { minReadySeconds } = target.config.spec.rollout;
  const due = [
    ...outcomes.map(({ readySince }) => readySince + minReadySeconds * 1000),
    ...outcomes.map(({ inReachSince }) => inReachSince + minReadySeconds * 1000),
    ...outcomes.map(({ inReachSince }) => inReachSince + deadlineMs(target)),
    ...outcomes.map(({ steadyAt }) => steadyAt + deadlineMs(target)),
    ...outcomes.map(({ assignedSince }) => assignedSince + deadlineMs(target)),
    ...outcomes.map(({ silentSince }) => silentSince + deadlineMs(target)),
    ...outcomes
      .filter(({ reachable }) => !reachable)
      .map(({ node }) => clock.since('reach', node, 'false') + deadlineMs(target)),
    situation.quietSince + deadlineMs(target),
    pauseEnds(situation, rollout) ?? Infinity,
  ];
  const next = due.reduce((earliest, at) => (at > clock.now && at < earliest ? at : earliest), Infinity);
  return next === Infinity ? undefined : next - clock.now;
}

/** The step that is being taken, counted from 1; undefined when none is left. */
export function currentStep({ step }: Rollout): number | undefined {
  return step === undefined ? undefined : Number.parseInt(step, 10);
}

/** The step that the rollout is in; undefined without steps, and where its number is none of them. */
export function stepOf({ target }: Pick<Situation, 'target'>, rollout: Rollout): Step | undefined {
  const number = currentStep(rollout) ?? 0;
  return number > 0 ? target.config.spec.rollout.steps?.at(number - 1) : undefined;
}
type Step = NonNullable<Situation['target']['config']['spec']['rollout']['steps']>[number];

/** When a node last became done, by the operator's clock; undefined while none is. */
export function lastDoneAt({
  target,
  outcomes,
  clock,
}: Pick<Situation, 'target' | 'outcomes' | 'clock'>): number | undefined {
  const done = outcomes
    .filter((outcome) => isDone(outcome, target.revision, { target, clock }))
    .map(({ readySince }) => readySince + target.config.spec.rollout.minReadySeconds * 1000);
  return done.length === 0 ? undefined : done.reduce((latest, at) => Math.max(latest, at));
}

function deadlineMs({ config }: Target): number {
  return config.spec.rollout.progressDeadlineSeconds * 1000;
}

/** A number, or a percentage of the total rounded up, as in maxUnavailable, maxFailures and setNodes. */
export function portion(value: number | string, total: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) * total) / 100);
}
