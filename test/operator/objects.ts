/**
 * @module Small objects for the operator's pure tests: a row says what matters to it, the rest is as on a quiet
 * cluster.
 */
import { withDefaults } from '../../src/api/defaults.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import type { ClusterView, KnownNode } from '../../src/operator/watch/clusterView.ts';
import { outcomesOf } from '../../src/operator/rollout/nodeOutcome.ts';
import { resolveTargets, type Target } from '../../src/operator/rollout/resolve.ts';
import { situationOf, type Situation } from '../../src/operator/rollout/rolloutState.ts';
import type { Clock } from '../../src/operator/rollout/since.ts';
import { nodeWrite } from '../../src/operator/writes/nodeWrite.ts';

export const now = new Date('2026-01-01T00:00:00Z');

export function node(name: string, labels: Record<string, string> = {}): KnownNode {
  return { name, uid: `uid-of-${name}`, labels, ready: true };
}

export function proxyConfig(
  name: string,
  { createdAt = '2025-01-01T00:00:00Z', generation = 1, status, ...spec }: ConfigTraits = {},
): ProxyConfig {
  const metadata = { name, uid: `uid-of-${name}`, generation, creationTimestamp: createdAt };
  const config = withDefaults({
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'ProxyConfig',
    metadata,
    spec: { mode: 'iptables', ...spec },
  }) as ProxyConfig;
  return status === undefined ? config : { ...config, status };
}

export type ConfigTraits = Partial<ProxyConfig['spec']> & {
  createdAt?: string;
  generation?: number;
  status?: ProxyConfig['status'];
};

/** What a ProxyConfig asks for that governs the one node `a`. */
export function targetOf(traits: ConfigTraits = {}, name = 'all'): Target {
  const [target] = resolveTargets({
    nodes: new Map([['a', node('a')]]),
    configs: new Map([[name, proxyConfig(name, traits)]]),
  });
  if (!target) throw new Error('no target');
  return target;
}

/** A clock for which everything has been as it is for so many milliseconds. */
export function unchangedFor(ms: number): Clock {
  const since = now.getTime() - ms;
  return { now: now.getTime(), since: () => since, lastSteady: (_node, holds) => (holds ? now.getTime() : since) };
}

/** A minute is longer than minReadySeconds, and shorter than the deadline. */
export const clock = unchangedFor(60_000);

/** What an agent says of its node; `assigned` alone is a NodeProxy that no agent has reported on. */
export type Report =
  | 'none'
  | 'assigned'
  | 'applied'
  | 'drifted'
  | 'refused'
  | 'syncing'
  | 'leavesOneOut'
  | 'appliedBefore'
  | 'servesBefore';

/** The NodeProxy of a node that was assigned the target, as its agent left it. */
export function reported(at: KnownNode, target: Target, report: Exclude<Report, 'none'>): NodeProxy {
  const { body } = nodeWrite(at, target, undefined).options as { body: NodeProxy };
  const nodeProxy = {
    ...body,
    metadata: { ...body.metadata, uid: `uid-of-proxy-${at.name}`, generation: 3, resourceVersion: '7' },
  };
  return { ...nodeProxy, status: statuses[report](target.revision) };
}

type Status = NonNullable<NodeProxy['status']>;

const condition = (status: 'True' | 'False', reason: string, message = ''): NonNullable<Status['conditions']> => [
  { type: 'Ready', status, reason, message, lastTransitionTime: '2025-12-31T00:00:00Z' },
];

const statuses: Record<Exclude<Report, 'none'>, (revision: string) => Status> = {
  assigned: () => ({ observedGeneration: -1 }),
  applied: (revision) => ({
    observedGeneration: 3,
    state: 'Ready',
    mode: 'iptables',
    revision,
    conditions: condition('True', 'Synced'),
  }),
  appliedBefore: (revision) => ({
    observedGeneration: 2,
    state: 'Ready',
    mode: 'iptables',
    revision,
    conditions: condition('True', 'Synced'),
  }),
  servesBefore: () => statuses.applied('before'),
  drifted: (revision) => ({
    observedGeneration: 3,
    state: 'Drifted',
    mode: 'iptables',
    revision,
    conditions: condition('True', 'Synced'),
  }),
  refused: () => ({
    observedGeneration: 3,
    state: 'Degraded',
    mode: 'iptables',
    revision: 'before',
    conditions: condition('False', 'ModeNotSupported', 'no ip_vs in this kernel'),
  }),
  syncing: () => ({
    observedGeneration: 3,
    state: 'Pending',
    mode: 'iptables',
    revision: 'before',
    conditions: condition('False', 'Pending'),
  }),
  leavesOneOut: (revision) => ({
    ...statuses.applied(revision),
    dataplane: { quarantinedCount: 1, quarantined: [{ namespace: 'shop', name: 'web', reason: 'AddressInvalid' }] },
  }),
};

/** One ProxyConfig and its nodes, each as its agent reports it. */
export function situation(
  config: ProxyConfig,
  reports: Readonly<Record<string, Report>>,
  {
    agentsDown = [],
    withoutPods = [],
    at = clock,
  }: { agentsDown?: readonly string[]; withoutPods?: readonly string[]; at?: Clock } = {},
): Situation & { view: ClusterView } {
  const nodes = new Map(Object.keys(reports).map((name) => [name, node(name)]));
  const [target] = resolveTargets({ nodes, configs: new Map([[config.metadata.name, config]]) });
  if (!target) throw new Error('the ProxyConfig governs nothing');
  const nodeProxies = new Map<string, NodeProxy>();
  for (const [name, report] of Object.entries(reports))
    if (report !== 'none') nodeProxies.set(name, reported(node(name), target, report));
  const readyAgents = new Set(Object.keys(reports).filter((name) => ![...agentsDown, ...withoutPods].includes(name)));
  const view = {
    nodes,
    configs: new Map([[config.metadata.name, config]]),
    nodeProxies,
    lostNodeProxies: new Map(),
    revisions: new Map(),
    readyAgents,
    unreadyAgents: new Set(agentsDown),
  };
  const outcomes = outcomesOf(target, view, at);
  return { ...situationOf({ target, outcomes, clock: at, hasRevision: () => true }), view };
}
