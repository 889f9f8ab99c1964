/**
 * Sums what nodes report up into a ProxyConfig's status, so that `kubectl get pxc` and kstatus are right at any
 * moment.
 */
import { mergeConditions } from '../../api/conditions.ts';
import type { ProxyConfigStatus } from '../../api/nodeConfig.ts';
import type { NodeCounts, NodeOutcome } from '../rollout/nodeOutcome.ts';
import type { Target } from '../rollout/resolve.ts';
import { isOverdue, type Rollout, type Situation } from '../rollout/rolloutState.ts';
import { conditionsOf, type Findings } from './statusConditions.ts';

/** Bounds of the CRD: more would be refused, and nobody reads a list of 5,000 failures in a status. */
const maxFailures = 10;
const maxFailureMessage = 256;
const maxReason = 64;

/** The status as it should stand; equal input gives an equal status, so that an unchanged one is never written. */
export function aggregateStatus(situation: Situation, rollout: Rollout): ProxyConfigStatus {
  const { target, outcomes, clock } = situation;
  const { config } = target;
  const nodes = countNodes(target, outcomes);
  const observedGeneration = config.metadata.generation ?? 0;
  const failures = allFailures(situation, rollout);
  const conditions = conditionsOf({ target, outcomes, nodes, rollout, failures });
  return {
    observedGeneration,
    observedHash: target.revision,
    conditions: mergeConditions(config.status?.conditions, conditions, {
      observedGeneration,
      now: new Date(clock.now),
    }),
    nodes,
    ...modesOf(outcomes),
    rollout,
    ...(failures.length > 0 ? { failures } : {}),
  };
}

function countNodes({ matched }: Target, outcomes: readonly NodeOutcome[]): NodeCounts {
  const count = (predicate: (outcome: NodeOutcome) => boolean): number => outcomes.filter(predicate).length;
  const ready = count(({ phase }) => phase === 'Ready');
  return {
    matched,
    effective: outcomes.length,
    updated: count(({ updated }) => updated),
    ready,
    unavailable: outcomes.length - ready,
    drifted: count(({ drifted }) => drifted),
    failed: count(({ phase }) => phase === 'Failed'),
    stale: count(({ reachable }) => !reachable),
  };
}

/** Modes in force on this ProxyConfig's nodes, which on a node that refused a mode is the one before. */
function modesOf(outcomes: readonly NodeOutcome[]): Pick<ProxyConfigStatus, 'modes'> {
  const modes: Record<string, number> = {};
  for (const { mode } of outcomes) if (mode) modes[mode] = (modes[mode] ?? 0) + 1;
  // Server-side apply turns a map whose last entry goes into null, which the CRD refuses: without entries the field
  // itself goes.
  return Object.keys(modes).length === 0 ? {} : { modes };
}

type Failure = Findings['failures'][number];

/** What failed a rollout is remembered after the nodes have gone back, until there is another rollout. */
function allFailures(situation: Situation, rollout: Rollout): Failure[] {
  const { status } = situation.target.config;
  const live = failuresOf(situation);
  if (!hasFailed(rollout) || !hasFailed(status?.rollout) || status?.rollout?.revision !== rollout.revision) return live;
  const remembered = status.failures ?? [];
  const known = new Set(remembered.map(({ node }) => node));
  return [...remembered, ...live.filter(({ node }) => !known.has(node))].slice(0, maxFailures);
}

function hasFailed(rollout: ProxyConfigStatus['rollout']): boolean {
  return ['RollingBack', 'RolledBack', 'Failed'].includes(rollout?.state ?? '');
}

/** Nodes that fail come first, then those that are too late, then those that only leave Services out. */
function failuresOf(situation: Situation): Failure[] {
  const { outcomes } = situation;
  const withProblem = outcomes.filter(({ problem }) => problem !== undefined);
  return [
    ...withProblem.filter(({ phase }) => phase === 'Failed').map(failureOf),
    ...outcomes.filter((outcome) => isOverdue(outcome, situation)).map((outcome) => lateness(outcome, situation)),
    ...withProblem.filter(({ phase }) => phase !== 'Failed').map(failureOf),
  ].slice(0, maxFailures);
}

function failureOf({ node, problem }: NodeOutcome): Failure {
  const { reason, message, since } = problem ?? { reason: 'Unknown' };
  return {
    node,
    reason: reason.slice(0, maxReason),
    ...(message ? { message: message.slice(0, maxFailureMessage) } : {}),
    ...(since ? { since } : {}),
  };
}

function lateness({ node }: NodeOutcome, { target }: Situation): Failure {
  const { progressDeadlineSeconds } = target.config.spec.rollout;
  return {
    node,
    reason: 'ProgressDeadlineExceeded',
    message: `not done with revision ${target.revision} within ${progressDeadlineSeconds} s`,
  };
}
