/**
 * The pace of change: which nodes are assigned what, now. Every write to a NodeProxy's spec is decided here.
 *
 * What the caller may rely on: a node is assigned at most one revision in a reconciliation, and only where that writes
 * something new. Three groups are assigned in this order: nodes for which nothing changes that they run (`unchanged`),
 * nodes that are moved to the goal within the budget, nodes from elsewhere that get the fallback within what is left.
 *
 * Pure: an operator that starts in the middle of a rollout decides as the one before it did, or waits a little longer.
 */
import type { NodeOutcome } from './nodeOutcome.ts';
import {
  currentStep,
  isDone,
  isSettled,
  portion,
  stableRevision,
  takesSteps,
  type Rollout,
  type Situation,
} from './rolloutState.ts';

/** A node, and the revision that it is to run. */
export interface Assignment {
  readonly node: string;
  readonly revision: string;
}

/**
 * The assignments of one reconciliation; none where the rollout is Idle. The caller writes them only once this state of
 * the rollout is on the API server.
 */
export function nodesToAssign(situation: Situation, rollout: Rollout): Assignment[] {
  if (rollout.state === 'Idle') return [];
  const plan = planOf(situation, rollout);
  const unchanged = new Map(situation.outcomes.flatMap((outcome) => withoutChange(outcome, plan)));
  const budget = new Budget(situation, plan.goal, unchanged);
  const moved = plan.goal === undefined ? [] : movedNodes(situation, { ...plan, goal: plan.goal, unchanged }, budget);
  const isMoved = new Set(moved.map(({ node }) => node));
  const foreign = foreignNodes(situation, plan, budget).filter(({ node }) => !isMoved.has(node));
  return [...[...unchanged].map(([node, revision]) => ({ node, revision })), ...moved, ...foreign];
}

/** Nodes that are assigned something past the budget in this reconciliation, and their revisions. */
type Unchanged = ReadonlyMap<string, string>;

interface Plan {
  /** Revisions that a node may stay with until the rollout reaches it. */
  readonly kept: readonly string[];
  /**
   * What a node gets that was never assigned any: nothing while paused before anything was ever completed, by this
   * ProxyConfig or the one that it was made anew for.
   */
  readonly base: string | undefined;
  /** The revision that nodes are moved to; undefined stops. */
  readonly goal: string | undefined;
  /** What nodes get that the rollout has not reached, and that should not wait for it. */
  readonly fallback?: string | undefined;
  /** How many nodes may have been assigned the goal after this reconciliation. */
  readonly limit: number;
  /** Whether nodes that do not serve are moved at once, past the budget. */
  readonly isRollback: boolean;
}

function planOf(situation: Situation, rollout: Rollout): Plan {
  const { revision, config } = situation.target;
  const stable = stableRevision(situation, rollout);
  const stopped = {
    kept: stable === undefined ? [revision] : [revision, stable],
    goal: undefined,
    limit: 0,
    isRollback: false,
  };
  const completed = stable ?? situation.inherited;
  if (config.spec.paused) return { ...stopped, base: completed };
  const base = completed ?? revision;
  if (rollout.state === 'Failed') return { ...stopped, base, fallback: stable };
  if (isOver(rollout))
    return { kept: [base], base, goal: base, limit: Infinity, isRollback: rollout.state !== 'Complete' };
  return { ...stopped, base, goal: revision, fallback: stable, limit: stepLimit(situation, rollout) };
}

/** Every node is taken to the last completed revision, which after a rollback is the one before. */
function isOver({ state }: Rollout): boolean {
  return state === 'Complete' || state === 'RollingBack' || state === 'RolledBack';
}

/** What the steps so far allow: the last setNodes up to the current step, all nodes once every step is taken. */
function stepLimit({ target, outcomes }: Situation, rollout: Rollout): number {
  const steps = target.config.spec.rollout.steps ?? [];
  const index = currentStep(rollout);
  if (index === undefined || index > steps.length) return Infinity;
  const last = steps.slice(0, index).findLast(({ setNodes }) => setNodes !== undefined);
  return last?.setNodes === undefined ? 0 : portion(last.setNodes, outcomes.length);
}

/**
 * Writes that change nothing that a node runs, so that no budget holds them up: a NodeProxy that was deleted by hand, a
 * ProxyConfig or a Node that was made anew under its name. And a node that was never assigned anything: it gets what
 * was completed last. A NodeProxy that was deleted comes back as it was also where the rollout has stopped and there is
 * nothing else for its node.
 */
function withoutChange(
  { node, assigned, belongs, phase }: NodeOutcome,
  { kept, base, goal, fallback }: Plan,
): [string, string][] {
  if (assigned === undefined) return base === undefined ? [] : [[node, base]];
  const comesBack = phase === 'New' && goal === undefined && fallback === undefined;
  return !belongs && (comesBack || kept.includes(assigned)) ? [[node, assigned]] : [];
}

function movedNodes(
  situation: Situation,
  plan: Plan & { readonly goal: string; readonly unchanged: Unchanged },
  budget: Budget,
): Assignment[] {
  const { outcomes } = situation;
  const { goal, kept, unchanged, limit, isRollback } = plan;
  const isElsewhere = ({ node, assigned }: NodeOutcome): boolean =>
    !unchanged.has(node) && assigned !== goal && assigned !== undefined;
  const candidates = outcomes.filter(isElsewhere);
  const reached = outcomes.filter(
    (outcome) => takesSteps(outcome) && (unchanged.get(outcome.node) ?? outcome.assigned) === goal,
  ).length;
  // Nodes on a superseded revision go first: they run neither the old revision nor the new one. Of each those go first
  // that have been in reach the longest time; those that come and go are last, and in no step.
  const steady = candidates.filter(({ unsteady }) => !unsteady).sort((one, other) => other.steadyAt - one.steadyAt);
  const inOrder = [
    ...steady.filter(({ assigned }) => !kept.includes(assigned ?? '')),
    ...steady.filter(({ assigned }) => kept.includes(assigned ?? '')),
    ...(limit === Infinity ? candidates.filter(({ unsteady }) => unsteady) : []),
  ];
  const chosen: NodeOutcome[] = [];
  for (const outcome of inOrder) {
    if (reached + chosen.length >= limit) break;
    if (isRollback && !budget.isAvailable(outcome)) chosen.push(outcome);
    else if (outcome.reachable && budget.admits(outcome)) chosen.push(outcome);
  }
  const isAway = (outcome: NodeOutcome): boolean =>
    outcome.ignoredAsUnreachable && !outcome.reachable && !chosen.includes(outcome);
  const rest = limit === Infinity && othersAreDone(situation, goal) ? candidates.filter(isAway) : [];
  return [...chosen, ...rest].map(({ node }) => ({ node, revision: goal }));
}

/** Nodes that have been out of reach for long come last, when the revision has proved itself on all others. */
function othersAreDone(situation: Situation, goal: string): boolean {
  const { outcomes } = situation;
  const hasFailed = ({ phase, assigned }: NodeOutcome): boolean => phase === 'Failed' && assigned === goal;
  return outcomes.every((outcome) => !takesSteps(outcome) || hasFailed(outcome) || isDone(outcome, goal, situation));
}

/**
 * Nodes that came from another ProxyConfig, or fail with a superseded revision, need not wait until the rollout reaches
 * them.
 */
function foreignNodes({ outcomes }: Situation, { kept, fallback, goal }: Plan, budget: Budget): Assignment[] {
  if (fallback === undefined || fallback === goal) return [];
  const isForeign = ({ phase, assigned, belongs, reachable }: NodeOutcome): boolean =>
    reachable && assigned !== undefined && !kept.includes(assigned) && (!belongs || phase === 'Failed');
  return outcomes
    .filter((outcome) => isForeign(outcome) && budget.admits(outcome))
    .map(({ node }) => ({ node, revision: fallback }));
}

/**
 * maxUnavailable, counted anew from the nodes in each reconciliation, not from what was assigned before: neither may so
 * many nodes be in change, nor may a node that serves be changed while so many do not. A node that does not serve
 * anyway is not held up by others that do not. Nodes that are ignored as unreachable, or never served, count for
 * neither.
 *
 * In change: the agent has not reported on what it was assigned or is applying it, something is assigned to it in this
 * reconciliation, or it runs the goal for less than minReadySeconds.
 */
class Budget {
  readonly #situation: Situation;
  readonly #goal: string | undefined;
  readonly #unchanged: Unchanged;
  readonly #max: number;
  #changing: number;
  #unavailable: number;

  constructor(situation: Situation, goal: string | undefined, unchanged: Unchanged) {
    const { outcomes, target } = situation;
    this.#situation = situation;
    this.#goal = goal;
    this.#unchanged = unchanged;
    this.#max = portion(target.config.spec.rollout.maxUnavailable, outcomes.length);
    const counted = outcomes.filter((outcome) => !outcome.ignoredAsUnreachable && !outcome.neverServed);
    this.#unavailable = counted.filter((outcome) => !this.isAvailable(outcome)).length;
    this.#changing = counted.filter((outcome) => this.#isInChange(outcome)).length;
  }

  /** In reach and serving, and with the new revision for long enough. */
  isAvailable(outcome: NodeOutcome): boolean {
    return outcome.reachable && outcome.phase === 'Ready' && !this.#isInChange(outcome);
  }

  /** Takes the node into the budget, if there is room. */
  admits(outcome: NodeOutcome): boolean {
    const isAvailable = this.isAvailable(outcome);
    if (this.#changing >= this.#max && !this.#isInChange(outcome)) return false;
    if (isAvailable && this.#unavailable >= this.#max) return false;
    if (!this.#isInChange(outcome)) this.#changing += 1;
    if (isAvailable) this.#unavailable += 1;
    return true;
  }

  /** What is assigned past the budget takes its place in it nevertheless. */
  #isInChange(outcome: NodeOutcome): boolean {
    return outcome.phase === 'Changing' || this.#unchanged.has(outcome.node) || this.#isSettling(outcome);
  }

  #isSettling({ phase, assigned, readySince }: NodeOutcome): boolean {
    return phase === 'Ready' && assigned === this.#goal && !isSettled(readySince, this.#situation);
  }
}
