/**
 * @module Clusters, each with the status that its ProxyConfig must have: one table for the operator's own tests and for
 * tools that judge by a status.
 */
import { nodeConfigOf, type ProxyConfigStatus } from '../../src/api/nodeConfig.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { revisionOf } from '../../src/api/revision.ts';
import { aggregateStatus } from '../../src/operator/status/aggregateStatus.ts';
import type { Situation } from '../../src/operator/rollout/rolloutState.ts';
import { nextRollout } from '../../src/operator/rollout/rolloutTransitions.ts';
import { proxyConfig, situation, type Report } from './objects.ts';

const proxyConfigRevision = revisionOf(nodeConfigOf(proxyConfig('all').spec));

export interface StatusRow {
  readonly name: string;
  readonly reports: Readonly<Record<string, Report>>;
  readonly agentsDown?: readonly string[];
  readonly paused?: boolean;
  readonly mode?: ProxyConfig['spec']['mode'];
  /** The status before. */
  readonly recorded?: ProxyConfigStatus;
  readonly nodes: Partial<NonNullable<ProxyConfigStatus['nodes']>>;
  /** The conditions that are True. */
  readonly holds: readonly string[];
  readonly reason: string;
  readonly state: string;
  readonly failures?: readonly string[];
}

/** A rollout of the present revision that has come so far, after a node that is no longer there had failed. */
function over(state: NonNullable<ProxyConfigStatus['rollout']>['state']): ProxyConfigStatus {
  const failures =
    state === 'Complete'
      ? {}
      : { failures: [{ node: 'gone', reason: 'ModeNotSupported', message: 'no ip_vs in this kernel' }] };
  return {
    observedGeneration: 4,
    rollout: { revision: proxyConfigRevision, previousRevision: 'before', state },
    ...failures,
  };
}

export const statusRows: readonly StatusRow[] = [
  {
    name: 'no node',
    reports: {},
    nodes: { matched: 0, effective: 0, ready: 0 },
    holds: ['Ready'],
    reason: 'NoNodes',
    state: 'Idle',
  },
  {
    name: 'nodes without a NodeProxy yet',
    reports: { a: 'none', b: 'none' },
    nodes: { effective: 2, updated: 0, ready: 0, unavailable: 2 },
    holds: ['Reconciling'],
    reason: 'RollingOut',
    state: 'Progressing',
  },
  {
    name: 'a node that was assigned it, and has not reported',
    reports: { a: 'assigned' },
    nodes: { updated: 0, ready: 0 },
    holds: ['Reconciling'],
    reason: 'RollingOut',
    state: 'Progressing',
  },
  {
    name: 'one of two nodes is done',
    reports: { a: 'applied', b: 'assigned' },
    nodes: { updated: 1, ready: 1, unavailable: 1 },
    holds: ['Reconciling'],
    reason: 'RollingOut',
    state: 'Progressing',
  },
  {
    name: 'an agent that is still at it',
    reports: { a: 'syncing' },
    nodes: { updated: 0, failed: 0 },
    holds: ['Reconciling'],
    reason: 'RollingOut',
    state: 'Progressing',
  },
  {
    name: 'a report on an earlier spec, although its revision is the right one',
    reports: { a: 'appliedBefore' },
    nodes: { updated: 1, ready: 0 },
    holds: ['Reconciling'],
    reason: 'RollingOut',
    state: 'Progressing',
  },
  {
    name: 'an agent that has seen the change, and still serves what was before',
    reports: { a: 'servesBefore' },
    nodes: { updated: 0, ready: 0, failed: 0 },
    holds: ['Reconciling'],
    reason: 'RollingOut',
    state: 'Progressing',
  },
  {
    name: 'all nodes are done',
    reports: { a: 'applied', b: 'applied' },
    nodes: { updated: 2, ready: 2, unavailable: 0 },
    holds: ['Ready'],
    reason: 'AllNodesReady',
    state: 'Complete',
  },
  {
    name: 'somebody else changed rules',
    reports: { a: 'drifted' },
    nodes: { ready: 1, drifted: 1 },
    holds: ['Drifted', 'Ready'],
    reason: 'AllNodesReady',
    state: 'Complete',
  },
  {
    name: 'all nodes refuse',
    reports: { a: 'refused' },
    nodes: { updated: 0, failed: 1, ready: 0 },
    holds: ['Degraded', 'Stalled'],
    reason: 'ModeNotSupported',
    state: 'Failed',
    failures: ['a ModeNotSupported'],
  },
  {
    name: 'one node refuses, one is done',
    reports: { a: 'applied', b: 'refused' },
    nodes: { failed: 1, ready: 1 },
    holds: ['Degraded', 'Stalled'],
    reason: 'ModeNotSupported',
    state: 'Failed',
    failures: ['b ModeNotSupported'],
  },
  {
    name: 'one node refuses while another is still at it',
    reports: { a: 'syncing', b: 'refused' },
    nodes: { failed: 1 },
    holds: ['Degraded', 'Stalled'],
    reason: 'ModeNotSupported',
    state: 'Failed',
    failures: ['b ModeNotSupported'],
  },
  {
    name: 'a node leaves a Service out',
    reports: { a: 'leavesOneOut' },
    nodes: { ready: 1, failed: 0 },
    holds: ['Degraded', 'Ready'],
    reason: 'AllNodesReady',
    state: 'Complete',
    failures: ['a ServicesQuarantined'],
  },
  {
    name: 'nodes that refuse are named before nodes that leave a Service out',
    reports: { a: 'leavesOneOut', b: 'refused' },
    nodes: {},
    holds: ['Degraded', 'Stalled'],
    reason: 'ModeNotSupported',
    state: 'Failed',
    failures: ['b ModeNotSupported', 'a ServicesQuarantined'],
  },
  {
    name: 'an agent that is away',
    reports: { a: 'applied', b: 'applied' },
    agentsDown: ['b'],
    nodes: { ready: 2, stale: 1 },
    holds: ['Degraded', 'Ready'],
    reason: 'AllNodesReady',
    state: 'Complete',
  },
  {
    name: 'paused with nodes to change',
    reports: { a: 'applied', b: 'none' },
    paused: true,
    nodes: { updated: 1 },
    holds: [],
    reason: 'Paused',
    state: 'Paused',
  },
  {
    name: 'the rollout is over, and a node has come since',
    reports: { a: 'applied', b: 'assigned' },
    recorded: over('Complete'),
    nodes: { ready: 1 },
    holds: ['Reconciling'],
    reason: 'RollingOut',
    state: 'Complete',
  },
  {
    name: 'the rollout is over, and a node has failed since',
    reports: { a: 'applied', b: 'refused' },
    recorded: over('Complete'),
    nodes: { failed: 1 },
    holds: ['Degraded', 'Stalled'],
    reason: 'ModeNotSupported',
    state: 'Complete',
    failures: ['b ModeNotSupported'],
  },
  {
    name: 'rolling back',
    reports: { a: 'refused' },
    recorded: over('RollingBack'),
    nodes: { failed: 1 },
    holds: ['Degraded', 'Reconciling'],
    reason: 'RollingBack',
    state: 'RollingBack',
    failures: ['gone ModeNotSupported', 'a ModeNotSupported'],
  },
  {
    name: 'rolled back: what failed is remembered',
    reports: { a: 'assigned' },
    recorded: over('RolledBack'),
    nodes: { failed: 0 },
    holds: ['Stalled'],
    reason: 'RolledBack',
    state: 'RolledBack',
    failures: ['gone ModeNotSupported'],
  },
  {
    name: 'all nodes are done, in a mode that leaves kube-proxy',
    mode: 'ipvs',
    reports: { a: 'applied' },
    nodes: { ready: 1 },
    holds: ['DeprecatedMode', 'Ready'],
    reason: 'AllNodesReady',
    state: 'Complete',
  },
  {
    name: 'a node in a mode that has left kube-proxy, which refuses it',
    mode: 'userspace',
    reports: { a: 'refused' },
    nodes: { failed: 1 },
    holds: ['Degraded', 'DeprecatedMode', 'Stalled'],
    reason: 'ModeNotSupported',
    state: 'Failed',
    failures: ['a ModeNotSupported'],
  },
  {
    name: 'paused with nothing to change',
    reports: { a: 'applied' },
    paused: true,
    nodes: { ready: 1 },
    holds: ['Ready'],
    reason: 'AllNodesReady',
    state: 'Complete',
  },
];

export const statusOf = (of: Situation): ProxyConfigStatus => aggregateStatus(of, nextRollout(of));

/** The row's ProxyConfig with the status that the operator gives it. */
export function withStatus({
  reports,
  agentsDown = [],
  paused = false,
  mode = 'iptables',
  recorded,
}: StatusRow): ProxyConfig {
  const config = proxyConfig('all', { generation: 4, paused, mode, ...(recorded && { status: recorded }) });
  return { ...config, status: statusOf(situation(config, reports, { agentsDown })) };
}
