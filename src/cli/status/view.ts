/**
 * What `proxyconfig status` tells, as data: ProxyConfigs and NodeProxies -> where each stands, and which of its nodes
 * are not as wanted.
 *
 * Pure. The counts are the operator's, which knows agents and selectors too; what is said of one node is that node's
 * own NodeProxy.
 */
import { findCondition, type Condition } from '../../api/conditions.ts';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { quarantineMessage } from '../../api/quarantine.ts';
import { compare } from '../../api/resolvePolicy.ts';

type Status = NonNullable<ProxyConfig['status']>;

/** The whole output, also as `-o json` and `-o yaml` print it. */
export interface StatusView {
  /** By name. */
  readonly proxyConfigs: readonly ProxyConfigView[];
  /** Nodes that go on with the configuration of a ProxyConfig that is gone. */
  readonly ungoverned: readonly UngovernedNode[];
}

/** One ProxyConfig. */
export interface ProxyConfigView {
  readonly name: string;
  /** The mode asked for. */
  readonly mode: string;
  /**
   * Ready: every governed node serves as asked. Reconciling: nodes are still changing. Paused: held by spec.paused.
   * Stalled: a person must act. Unseen: the operator has not looked at the present spec yet, so that the rest is about
   * an earlier one.
   */
  readonly state: 'Ready' | 'Reconciling' | 'Paused' | 'Stalled' | 'Unseen';
  readonly reason: string;
  readonly message: string;
  readonly nodes: Required<NonNullable<Status['nodes']>>;
  /** Nodes by the mode that they run now. */
  readonly modes: Readonly<Record<string, number>>;
  readonly rollout: NonNullable<Status['rollout']>;
  /** Conditions that hold besides: Degraded, Conflicted, Drifted, DeprecatedMode. */
  readonly warnings: readonly { readonly type: string; readonly reason: string; readonly message: string }[];
  /** Nodes that are not as wanted, failed ones first. */
  readonly problems: readonly NodeProblem[];
}

/** A node that is not as its NodeProxy asks. */
export interface NodeProblem {
  readonly node: string;
  /**
   * The NodeProxy's state; Failed where the operator counts the node as failed; Waiting while its agent has not
   * answered.
   */
  readonly state: string;
  readonly reason: string;
  readonly message: string;
  readonly since?: string | undefined;
}

/** A node that keeps what it runs. */
export interface UngovernedNode {
  readonly node: string;
  /** The name of the ProxyConfig that governed it last. */
  readonly lastConfig: string;
  readonly mode: string;
}

/** What a view is made from, in any order. */
export interface StatusObjects {
  readonly configs: Iterable<ProxyConfig>;
  readonly nodeProxies: Iterable<NodeProxy>;
}

/** `name` leaves all but one ProxyConfig out. */
export function statusView({ configs, nodeProxies }: StatusObjects, name?: string): StatusView {
  const all = [...configs].sort((one, other) => compare(one.metadata.name, other.metadata.name));
  const nodesOf = Map.groupBy(nodeProxies, ({ spec }) => spec.configRef.uid);
  const known = new Set(all.map(({ metadata }) => metadata.uid ?? ''));
  const orphans = [...nodesOf].flatMap(([uid, orphaned]) => (known.has(uid) ? [] : orphaned));
  return {
    proxyConfigs: all
      .filter(({ metadata }) => name === undefined || metadata.name === name)
      .map((config) => viewOf(config, nodesOf.get(config.metadata.uid ?? '') ?? [])),
    ungoverned: name === undefined ? orphans.map(ungovernedNode).sort(byNode) : [],
  };
}

/** Whether there is something to be ready, and all of it is. */
export function isAllReady({ proxyConfigs }: StatusView): boolean {
  return proxyConfigs.length > 0 && proxyConfigs.every(({ state }) => state === 'Ready');
}

const furtherConditions = ['Degraded', 'Conflicted', 'Drifted', 'DeprecatedMode'];

const noNodes: ProxyConfigView['nodes'] = {
  matched: 0,
  effective: 0,
  updated: 0,
  ready: 0,
  unavailable: 0,
  drifted: 0,
  failed: 0,
  stale: 0,
};

function viewOf(config: ProxyConfig, nodeProxies: readonly NodeProxy[]): ProxyConfigView {
  const { metadata, spec, status = {} } = config;
  return {
    name: metadata.name,
    mode: spec.mode,
    ...verdictOf(config),
    nodes: { ...noNodes, ...status.nodes },
    modes: status.modes ?? {},
    rollout: status.rollout ?? {},
    warnings: furtherConditions.flatMap((type) => warning(findCondition(status.conditions, type))),
    problems: problemsOf(status.failures ?? [], nodeProxies),
  };
}

/** As `kubectl wait --for=condition=Ready` sees it: what is said of an earlier generation is not said of this one. */
function verdictOf({ metadata, status }: ProxyConfig): Pick<ProxyConfigView, 'state' | 'reason' | 'message'> {
  if ((status?.observedGeneration ?? -1) < (metadata.generation ?? 0)) {
    return {
      state: 'Unseen',
      reason: 'NotObserved',
      message: 'the operator has not looked at this spec yet; if that stays so: kubectl -n proxyconfig-system get pods',
    };
  }
  const holds = (type: string): Condition | undefined =>
    findCondition(
      status?.conditions?.filter((condition) => condition.status === 'True'),
      type,
    );
  const [state, condition] =
    (['Ready', 'Stalled', 'Reconciling'] as const).flatMap((type) =>
      holds(type) ? [[type, holds(type)] as const] : [],
    )[0] ?? (['Paused', findCondition(status?.conditions, 'Ready')] as const);
  return { state, reason: condition?.reason ?? state, message: condition?.message ?? '' };
}

function warning(condition: Condition | undefined): ProxyConfigView['warnings'] {
  return condition?.status === 'True'
    ? [{ type: condition.type, reason: condition.reason, message: condition.message }]
    : [];
}

function problemsOf(failures: NonNullable<Status['failures']>, nodeProxies: readonly NodeProxy[]): NodeProblem[] {
  const ofOperator = failures.map(({ node, reason, message = '', since }): NodeProblem => ({
    node,
    state: stateIn(nodeProxies, node),
    reason,
    message,
    since,
  }));
  const listed = new Set(failures.map(({ node }) => node));
  const ofNodes = nodeProxies
    .filter(({ metadata }) => !listed.has(metadata.name))
    .flatMap((nodeProxy) => problemOf(nodeProxy));
  return [
    ...ofOperator,
    ...ofNodes.sort(
      (one, other) => Number(one.state === 'Waiting') - Number(other.state === 'Waiting') || byNode(one, other),
    ),
  ];
}

function stateIn(nodeProxies: readonly NodeProxy[], node: string): string {
  return nodeProxies.find(({ metadata }) => metadata.name === node)?.status?.state ?? 'Failed';
}

/** Why a node is not as its NodeProxy asks; at most one reason, the gravest. */
function problemOf({ metadata, status = {} }: NodeProxy): NodeProblem[] {
  const node = metadata.name;
  if ((status.observedGeneration ?? -1) < (metadata.generation ?? 0))
    return [{ node, state: 'Waiting', reason: 'NotAnswered', message: 'its agent has not answered yet' }];
  const [gravest] = (status.conditions ?? []).filter(isAmiss).sort((one) => (one.type === 'Ready' ? -1 : 1));
  if (gravest === undefined) return quarantineOf(node, status.dataplane);
  const { reason, message, lastTransitionTime } = gravest;
  return [{ node, state: status.state ?? 'Pending', reason, message, since: lastTransitionTime }];
}

function isAmiss({ type, status }: Condition): boolean {
  return (type === 'Ready' && status !== 'True') || (type === 'Drifted' && status === 'True');
}

function quarantineOf(node: string, dataplane: NonNullable<NodeProxy['status']>['dataplane']): NodeProblem[] {
  const message = quarantineMessage(dataplane);
  return message === undefined ? [] : [{ node, state: 'Ready', reason: 'ServicesQuarantined', message }];
}

function ungovernedNode({ metadata, spec, status }: NodeProxy): UngovernedNode {
  return { node: metadata.name, lastConfig: spec.configRef.name, mode: status?.mode ?? 'unknown' };
}

function byNode(one: { readonly node: string }, other: { readonly node: string }): number {
  return compare(one.node, other.node);
}
