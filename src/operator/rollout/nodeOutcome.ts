/**
 * What became of what one node was assigned, from its NodeProxy, its Node and its agent's Pod.
 */
import { findCondition } from '../../api/conditions.ts';
import type { ProxyConfigStatus } from '../../api/nodeConfig.ts';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import { quarantineMessage } from '../../api/quarantine.ts';
import type { ClusterView, KnownNode } from '../watch/clusterView.ts';
import type { Target } from './resolve.ts';
import type { Clock } from './since.ts';

/** One node of a target, as a rollout sees it. */
export interface NodeOutcome {
  readonly node: string;
  /** The revision that it was assigned last; undefined for a node that was never assigned any. */
  readonly assigned: string | undefined;
  /** Its NodeProxy names this ProxyConfig, and goes with this Node. */
  readonly belongs: boolean;
  /**
   * New: it has no NodeProxy. Changing: the agent has not reported on this spec, or is applying it. Ready: what it was
   * assigned is in force. Failed: the agent saw what it was assigned and does not run it.
   */
  readonly phase: 'New' | 'Changing' | 'Ready' | 'Failed';
  /**
   * The Node is not NotReady, and an agent Pod is ready on it; or there is none at all, and its agent answers its
   * NodeProxy: an agent need not run in a Pod. Else its rules stand, but what is known of them is old.
   */
  readonly reachable: boolean;
  /** Milliseconds since the epoch by the operator's clock; Infinity while it is out of reach. */
  readonly inReachSince: number;
  /** When it had last been in reach for a whole progressDeadlineSeconds without a break; now where it has. */
  readonly steadyAt: number;
  /** That is as long ago, or longer: it comes and goes, or is away. */
  readonly unsteady: boolean;
  /** Unsteady, and out of reach or silent for as long: nothing waits for it any more. */
  readonly ignoredAsUnreachable: boolean;
  /** Out of reach, and no agent has ever had anything in force there, as far as its NodeProxy says. */
  readonly neverServed: boolean;
  /** There is an agent Pod for it, in whatever state: the DaemonSet makes them where agents should run. */
  readonly isAgentExpected: boolean;
  /** Since when its agent has not answered the NodeProxy's present spec; Infinity where it has, or there is none. */
  readonly silentSince: number;
  /** Milliseconds since the epoch by the operator's clock; Infinity while it is not Ready. */
  readonly readySince: number;
  /** Since when it has been assigned this and been in reach; milliseconds since the epoch. */
  readonly assignedSince: number;
  /** The target's revision is in force. */
  readonly updated: boolean;
  readonly drifted: boolean;
  /** The mode in force. */
  readonly mode: string | undefined;
  /** Why the node is not as wanted, in the agent's words; also for a ready node that leaves single Services out. */
  readonly problem: NodeProblem | undefined;
}

/** `reason` is CamelCase; `since` is RFC 3339. */
export interface NodeProblem {
  readonly reason: string;
  readonly message?: string;
  readonly since?: string;
}

/** How many nodes are in which state; `unavailable` = effective - ready. */
export type NodeCounts = Required<NonNullable<ProxyConfigStatus['nodes']>>;

type LiveView = Pick<ClusterView, 'nodeProxies' | 'readyAgents' | 'unreadyAgents' | 'lostNodeProxies'>;

/** One for each node that the target governs, in its order. */
export function outcomesOf(target: Target, view: LiveView, clock: Clock): NodeOutcome[] {
  return target.nodes.map((node) => {
    const nodeProxy = view.nodeProxies.get(node.name);
    const last = nodeProxy ?? lostOf(node, view);
    const assigned = last?.spec.revision;
    const hasServed = last?.status?.revision !== undefined;
    const agentPod = view.readyAgents.has(node.name) ? 'ready' : view.unreadyAgents.has(node.name) ? 'unready' : 'none';
    return nodeOutcome({ target, node, nodeProxy, assigned, hasServed, agentPod }, clock);
  });
}

interface Observation extends Pick<NodeOutcome, 'assigned'> {
  readonly target: Target;
  readonly node: KnownNode;
  readonly nodeProxy: NodeProxy | undefined;
  /** Something has been in force there. */
  readonly hasServed: boolean;
  /** The best of those on the node. */
  readonly agentPod: 'ready' | 'unready' | 'none';
}

function nodeOutcome(observation: Observation, clock: Clock): NodeOutcome {
  const { target, node, nodeProxy, assigned } = observation;
  const { name } = node;
  const reach = reachOf(observation, clock);
  const phase = phaseOf(nodeProxy);
  const belongs = isOf(nodeProxy, target) && isOwnedBy(nodeProxy, node);
  const readySince = clock.since('ready', name, phase === 'Ready' ? `${assigned}` : '');
  return {
    node: name,
    assigned,
    belongs,
    phase,
    reachable: reach.reachable,
    inReachSince: reach.reachable ? reach.since : Infinity,
    steadyAt: reach.steadyAt,
    unsteady: reach.unsteady,
    ignoredAsUnreachable: reach.ignoredAsUnreachable,
    neverServed: !reach.reachable && !observation.hasServed,
    isAgentExpected: observation.agentPod !== 'none',
    silentSince: reach.silentSince,
    readySince: phase === 'Ready' ? readySince : Infinity,
    assignedSince: Math.max(reach.since, clock.since('assigned', name, `${assigned}`)),
    ...reportOf(nodeProxy),
    updated: belongs && assigned === target.revision && nodeProxy?.status?.revision === assigned,
    problem: phase === 'Failed' ? refusal(nodeProxy) : quarantine(nodeProxy),
  };
}

type Reach = Pick<NodeOutcome, 'reachable' | 'steadyAt' | 'unsteady' | 'ignoredAsUnreachable' | 'silentSince'> & {
  readonly since: number;
};

/**
 * Without an agent Pod a node is in reach for as long as its agent answers, and then for the deadline; one that never
 * has is not.
 */
function reachOf({ target, node, nodeProxy, agentPod }: Observation, clock: Clock): Reach {
  const deadlineMs = target.config.spec.rollout.progressDeadlineSeconds * 1000;
  const isLong = (since: number): boolean => clock.now - since >= deadlineMs;
  const silentSince = silenceOf(node, nodeProxy, clock);
  const answers = hasReported(nodeProxy) && !isLong(silentSince);
  const reachable = node.ready && (agentPod === 'ready' || (agentPod === 'none' && answers));
  const since = clock.since('reach', node.name, String(reachable));
  const steadyAt = clock.lastSteady(node.name, reachable, deadlineMs);
  const unsteady = isLong(steadyAt);
  const isAway = !reachable && agentPod === 'none' && isLong(silentSince);
  const ignoredAsUnreachable = isAway || (unsteady && (!reachable || isLong(silentSince)));
  return { reachable, steadyAt, unsteady, ignoredAsUnreachable, silentSince, since };
}

function silenceOf({ name }: KnownNode, nodeProxy: NodeProxy | undefined, clock: Clock): number {
  const isSilent = nodeProxy !== undefined && !isObserved(nodeProxy);
  const since = clock.since('answer', name, isSilent ? `${nodeProxy.metadata.generation}` : '');
  return isSilent ? since : Infinity;
}

/** On whatever spec; the API server's default says -1. */
function hasReported(nodeProxy: NodeProxy | undefined): boolean {
  return (nodeProxy?.status?.observedGeneration ?? -1) >= 0;
}

function reportOf(nodeProxy: NodeProxy | undefined): Pick<NodeOutcome, 'drifted' | 'mode'> {
  const { state, conditions, mode } = nodeProxy?.status ?? {};
  return { drifted: state === 'Drifted' || findCondition(conditions, 'Drifted')?.status === 'True', mode };
}

/** What a node was assigned by a NodeProxy that somebody has deleted: it still runs that. */
function lostOf(node: KnownNode, { lostNodeProxies }: LiveView): NodeProxy | undefined {
  const lost = lostNodeProxies.get(node.name);
  return isOwnedBy(lost, node) ? lost : undefined;
}

/**
 * The ProxyConfig's generation does not count: a new one that changes nothing for nodes, such as a priority, must not
 * cost one write per node.
 */
function isOf(nodeProxy: NodeProxy | undefined, { config }: Target): boolean {
  return nodeProxy?.spec.configRef.uid === config.metadata.uid;
}

/**
 * False after a node was made anew under its old name: the garbage collector would take the NodeProxy with the old
 * node.
 */
function isOwnedBy(nodeProxy: NodeProxy | undefined, node: KnownNode): boolean {
  return (nodeProxy?.metadata.ownerReferences ?? []).some(({ kind, uid }) => kind === 'Node' && uid === node.uid);
}

function phaseOf(nodeProxy: NodeProxy | undefined): NodeOutcome['phase'] {
  if (!nodeProxy) return 'New';
  const { spec, status } = nodeProxy;
  if (!status || !isObserved(nodeProxy)) return 'Changing';
  if (status.revision === spec.revision && findCondition(status.conditions, 'Ready')?.status === 'True') return 'Ready';
  return status.state === 'Degraded' || status.state === 'RolledBack' ? 'Failed' : 'Changing';
}

/** A report on an earlier spec says nothing about this one. */
function isObserved({ status, metadata }: NodeProxy): boolean {
  return (status?.observedGeneration ?? -1) >= (metadata.generation ?? 0);
}

function refusal(nodeProxy: NodeProxy | undefined): NodeProblem {
  const ready = findCondition(nodeProxy?.status?.conditions, 'Ready');
  if (ready) return { reason: ready.reason, message: ready.message, since: ready.lastTransitionTime };
  return { reason: nodeProxy?.status?.state ?? 'Unknown' };
}

function quarantine(nodeProxy: NodeProxy | undefined): NodeProblem | undefined {
  const message = quarantineMessage(nodeProxy?.status?.dataplane);
  return message === undefined ? undefined : { reason: 'ServicesQuarantined', message };
}
