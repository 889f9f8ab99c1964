/**
 * From what the cluster is to what should be written to it: resolve -> rollout -> write -> aggregate, each a pure step.
 */
import type { ProxyConfig } from '../api/generated/proxyConfig.ts';
import { aggregateStatus } from './status/aggregateStatus.ts';
import { statusUpdate, type StatusUpdate } from './status/statusUpdate.ts';
import type { ClusterView } from './watch/clusterView.ts';
import { assignedConfig, inheritedRevision } from './rollout/inherited.ts';
import { outcomesOf } from './rollout/nodeOutcome.ts';
import { resolveTargets, type Target } from './rollout/resolve.ts';
import { historyOf, nodeConfigOfRevision, revisionWrites, type RevisionWrite } from './rollout/revisions.ts';
import { nodesToAssign } from './rollout/rollout.ts';
import { isRecorded, msUntilNextChange, situationOf, type Rollout } from './rollout/rolloutState.ts';
import { nextRollout } from './rollout/rolloutTransitions.ts';
import type { Clock } from './rollout/since.ts';
import { nodeWrite, type NodeWrite } from './writes/nodeWrite.ts';

/** Everything that should be written now, in this order; empty lists, and no `changed`, when nothing has changed. */
export interface Reconciliation {
  readonly revisionWrites: readonly RevisionWrite[];
  readonly statusUpdates: readonly StatusUpdate[];
  readonly nodeWrites: readonly NodeWrite[];
  /** Milliseconds after which time alone may have changed something. */
  readonly requeueAfterMs: number | undefined;
}

/**
 * Pure but for the clock, which remembers since when things are as they are: equal views at one time give equal
 * writes.
 */
export function reconcile(view: ClusterView, clock: Clock): Reconciliation {
  const decisions = resolveTargets(view).map((target) => decide(target, view, clock));
  const delays = decisions.flatMap(({ requeueAfterMs }) => requeueAfterMs ?? []);
  return {
    revisionWrites: decisions.flatMap(({ revisions }) => revisions),
    statusUpdates: decisions.map(({ status }) => status),
    nodeWrites: decisions.flatMap(({ nodes }) => nodes),
    requeueAfterMs: delays.length === 0 ? undefined : Math.min(...delays),
  };
}

interface Decision {
  readonly revisions: readonly RevisionWrite[];
  readonly status: StatusUpdate;
  readonly nodes: readonly NodeWrite[];
  readonly requeueAfterMs: number | undefined;
}

/**
 * Nodes wait until the revision and the state of the rollout are on the API server: a successor must know what they
 * were assigned.
 */
function decide(target: Target, view: ClusterView, clock: Clock): Decision {
  const { config, revision } = target;
  const history = historyOf(config, view);
  const configOf = (desired: string) => nodeConfigOfRevision(target, history, desired);
  const outcomes = outcomesOf(target, view, clock);
  const situation = situationOf({
    target,
    outcomes,
    clock,
    hasRevision: (desired) => configOf(desired) !== undefined,
    inherited: inheritedRevision(target, outcomes, view),
  });
  const rollout = nextRollout(situation);
  const isKept = history.some((known) => known.revision === revision);
  return {
    revisions: revisionWrites(target, history, inUse(rollout, config)),
    status: statusUpdate(config, aggregateStatus(situation, rollout)),
    nodes:
      isKept && isRecorded(rollout, config.status)
        ? nodesToAssign(situation, rollout).flatMap(({ node, revision: assigned }) => writeOf(node, assigned))
        : [],
    requeueAfterMs: msUntilNextChange(situation, rollout),
  };

  function writeOf(name: string, assigned: string): NodeWrite[] {
    const node = view.nodes.get(name);
    const nodeConfig = configOf(assigned) ?? assignedConfig(assigned, view);
    return node && nodeConfig
      ? [nodeWrite(node, { config, nodeConfig, revision: assigned }, view.nodeProxies.get(name))]
      : [];
  }
}

/** Also what the status on the API server still speaks of. */
function inUse(rollout: Rollout, { status }: ProxyConfig): (string | undefined)[] {
  return [rollout.revision, rollout.previousRevision, status?.rollout?.revision, status?.rollout?.previousRevision];
}
