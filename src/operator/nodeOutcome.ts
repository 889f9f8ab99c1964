/**
 * What became of a target on one node, told from its NodeProxy alone.
 */
import { findCondition } from '../api/conditions.ts';
import type { ProxyConfigStatus } from '../api/nodeConfig.ts';
import type { NodeProxy } from '../api/nodeProxy.ts';
import type { Target } from './resolve.ts';
import { hasTarget } from './rollout.ts';

export interface NodeOutcome {
  readonly node: string;
  /**
   * Waiting: not told yet, or the agent has not answered. Updating: the agent is at it. Ready: the target is in force.
   * Failed: the agent saw the target and does not run it.
   */
  readonly phase: 'Waiting' | 'Updating' | 'Ready' | 'Failed';
  /** The target's revision is in force, ready or not. */
  readonly updated: boolean;
  readonly drifted: boolean;
  /** No agent Pod is ready on the node: rules stand, but what is known of them is old. */
  readonly stale: boolean;
  /** The mode in force. */
  readonly mode: string | undefined;
  /** Why the node is not as wanted, in the agent's words; also for a ready node that leaves single Services out. */
  readonly problem: NodeProblem | undefined;
}

export interface NodeProblem {
  readonly reason: string;
  readonly message?: string;
  readonly since?: string;
}

/** How many nodes stand where; `unavailable` = effective - ready. */
export type NodeCounts = Required<NonNullable<ProxyConfigStatus['nodes']>>;

export function nodeOutcome(node: string, target: Target, live: { nodeProxy: NodeProxy | undefined; agentReady: boolean }): NodeOutcome {
  const { nodeProxy } = live;
  const status = nodeProxy?.status;
  const phase = phaseOf(nodeProxy, target);
  return {
    node,
    phase,
    updated: hasTarget(nodeProxy, target) && status?.revision === target.revision,
    drifted: status?.state === 'Drifted' || findCondition(status?.conditions, 'Drifted')?.status === 'True',
    stale: !live.agentReady,
    mode: status?.mode,
    problem: phase === 'Failed' ? refusal(nodeProxy) : quarantine(nodeProxy),
  };
}

function phaseOf(nodeProxy: NodeProxy | undefined, target: Target): NodeOutcome['phase'] {
  const status = nodeProxy?.status;
  if (!status || !hasTarget(nodeProxy, target) || !isAnswered(nodeProxy)) return 'Waiting';
  if (status.revision === target.revision && findCondition(status.conditions, 'Ready')?.status === 'True') return 'Ready';
  return status.state === 'Degraded' || status.state === 'RolledBack' ? 'Failed' : 'Updating';
}

/** An answer to an earlier spec says nothing about this one. */
function isAnswered({ status, metadata }: NodeProxy): boolean {
  return (status?.observedGeneration ?? -1) >= (metadata.generation ?? 0);
}

function refusal(nodeProxy: NodeProxy | undefined): NodeProblem {
  const ready = findCondition(nodeProxy?.status?.conditions, 'Ready');
  if (ready) return { reason: ready.reason, message: ready.message, since: ready.lastTransitionTime };
  return { reason: nodeProxy?.status?.state ?? 'Unknown' };
}

function quarantine(nodeProxy: NodeProxy | undefined): NodeProblem | undefined {
  const { quarantinedCount = 0, quarantined = [] } = nodeProxy?.status?.dataplane ?? {};
  if (quarantinedCount === 0) return undefined;
  const named = quarantined.map(({ namespace, name, reason }) => `${namespace}/${name} (${reason})`).join(', ');
  return { reason: 'ServicesQuarantined', message: `${quarantinedCount} Services are left out: ${named}` };
}
