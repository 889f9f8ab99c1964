/**
 * Sums what nodes report up into a ProxyConfig's status, so that `kubectl get pxc` and kstatus are right at any
 * moment.
 */
import { bounded } from '../../api/bounded.ts';
import { mergeConditions } from '../../api/conditions.ts';
import { proxyconfigSchema } from '../../api/generated/schemas.ts';
import type { ProxyConfigStatus } from '../../api/nodeConfig.ts';
import { compare } from '../../api/resolvePolicy.ts';
import type { NodeCounts, NodeOutcome } from '../rollout/nodeOutcome.ts';
import type { Target } from '../rollout/resolve.ts';
import { isOverdue, type Rollout, type Situation } from '../rollout/rolloutState.ts';
import { conditionsOf, type Findings } from './statusConditions.ts';

const statusSchema = proxyconfigSchema.properties?.['status'] ?? {};

/**
 * The status as it should stand, within the bounds of the CRD whatever nodes report; equal input gives an equal status,
 * so that an unchanged one is never written.
 */
export function aggregateStatus(situation: Situation, rollout: Rollout): ProxyConfigStatus {
  const { target, outcomes, clock } = situation;
  const { config } = target;
  const nodes = countNodes(target, outcomes);
  const observedGeneration = config.metadata.generation ?? 0;
  const failures = allFailures(situation, rollout);
  const conditions = conditionsOf({ target, outcomes, nodes, rollout, failures });
  const status: ProxyConfigStatus = {
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
  return bounded(status, statusSchema);
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
  const modes = new Map<string, number>();
  for (const { mode } of outcomes) if (mode) modes.set(mode, (modes.get(mode) ?? 0) + 1);
  // Those of most nodes first, because the CRD bounds their number. Server-side apply turns a map whose last entry goes
  // into null, which the CRD refuses: without entries the field itself goes.
  const byCount = [...modes].sort(([one, count], [other, otherCount]) => otherCount - count || compare(one, other));
  return modes.size === 0 ? {} : { modes: Object.fromEntries(byCount) };
}

type Failure = Findings['failures'][number];

/**
 * One entry for each node; more than the CRD takes are left out by `bounded`, the last ones first. What failed a
 * rollout is remembered after the nodes have gone back, until there is another rollout.
 */
function allFailures(situation: Situation, rollout: Rollout): Failure[] {
  const { status } = situation.target.config;
  const live = failuresOf(situation);
  if (!hasFailed(rollout) || !hasFailed(status?.rollout) || status?.rollout?.revision !== rollout.revision) return live;
  return uniqueByNode([...(status.failures ?? []), ...live]);
}

function hasFailed(rollout: ProxyConfigStatus['rollout']): boolean {
  return ['RollingBack', 'RolledBack', 'Failed'].includes(rollout?.state ?? '');
}

/** Nodes that fail come first, then those that are too late, then those that only leave Services out. */
function failuresOf(situation: Situation): Failure[] {
  const { outcomes } = situation;
  const withProblem = outcomes.filter(({ problem }) => problem !== undefined);
  return uniqueByNode([
    ...withProblem.filter(({ phase }) => phase === 'Failed').map(failureOf),
    ...outcomes.filter((outcome) => isOverdue(outcome, situation)).map((outcome) => lateness(outcome, situation)),
    ...withProblem.filter(({ phase }) => phase !== 'Failed').map(failureOf),
  ]);
}

/** Of several failures of a node the first. */
function uniqueByNode(failures: readonly Failure[]): Failure[] {
  const byNode = new Map<string, Failure>();
  for (const failure of failures) if (!byNode.has(failure.node)) byNode.set(failure.node, failure);
  return [...byNode.values()];
}

function failureOf({ node, problem }: NodeOutcome): Failure {
  const { reason, message, since } = problem ?? { reason: 'Unknown' };
  return {
    node,
    reason,
    ...(message ? { message } : {}),
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
