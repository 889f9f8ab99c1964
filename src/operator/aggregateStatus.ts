/**
 * Sums what nodes report up into a ProxyConfig's status, so that `kubectl get pxc` and kstatus tell the truth at any moment.
 */
import { mergeConditions } from '../api/conditions.ts';
import type { ProxyConfigStatus } from '../api/nodeConfig.ts';
import type { ClusterView } from './clusterView.ts';
import { nodeOutcome, type NodeCounts, type NodeOutcome } from './nodeOutcome.ts';
import type { Target } from './resolve.ts';
import { conditionsOf } from './statusConditions.ts';

/** Bounds of the CRD: more would be refused, and nobody reads a list of 5,000 failures in a status. */
const maxFailures = 10;
const maxFailureMessage = 256;
const maxReason = 64;

/** The status as it should stand; equal input gives an equal status, so that an unchanged one is never written. */
export function aggregateStatus(target: Target, view: Pick<ClusterView, 'nodeProxies' | 'readyAgents'>, now: Date): ProxyConfigStatus {
  const { config } = target;
  const outcomes = target.nodes.map(({ name }) => nodeOutcome(name, target, { nodeProxy: view.nodeProxies.get(name), agentReady: view.readyAgents.has(name) }));
  const nodes = countNodes(target, outcomes);
  const observedGeneration = config.metadata.generation ?? 0;
  const failures = failuresOf(outcomes);
  return {
    observedGeneration,
    observedHash: target.revision,
    conditions: mergeConditions(config.status?.conditions, conditionsOf({ target, outcomes, nodes }), { observedGeneration, now }),
    nodes,
    modes: countModes(outcomes),
    rollout: { revision: target.revision, state: rolloutState(target, nodes) },
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
    stale: count(({ stale }) => stale),
  };
}

/** Modes in force on this ProxyConfig's nodes, which on a node that refused a mode is the one before. */
function countModes(outcomes: readonly NodeOutcome[]): Record<string, number> {
  const modes: Record<string, number> = {};
  for (const { mode } of outcomes) if (mode) modes[mode] = (modes[mode] ?? 0) + 1;
  return modes;
}

function rolloutState({ config }: Target, { effective, ready, failed }: NodeCounts): NonNullable<ProxyConfigStatus['rollout']>['state'] {
  if (effective === 0) return 'Idle';
  if (ready === effective) return 'Complete';
  if (ready + failed === effective) return 'Failed';
  return config.spec.paused ? 'Paused' : 'Progressing';
}

type Failure = NonNullable<ProxyConfigStatus['failures']>[number];

/** Nodes that fail come before nodes that only leave Services out. */
function failuresOf(outcomes: readonly NodeOutcome[]): Failure[] {
  const withProblem = outcomes.filter(({ problem }) => problem !== undefined);
  const ordered = [...withProblem.filter(({ phase }) => phase === 'Failed'), ...withProblem.filter(({ phase }) => phase !== 'Failed')];
  return ordered.slice(0, maxFailures).map(failureOf);
}

function failureOf({ node, problem }: NodeOutcome): Failure {
  const { reason, message, since } = problem ?? { reason: 'Unknown' };
  return { node, reason: reason.slice(0, maxReason), ...(message ? { message: message.slice(0, maxFailureMessage) } : {}), ...(since ? { since } : {}) };
}
