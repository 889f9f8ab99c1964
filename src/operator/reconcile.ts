/**
 * @module From what the cluster is to what should be written to it: resolve -> rollout -> write -> aggregate, each a pure step.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ProxyConfigStatus } from '../api/nodeConfig.ts';
import type { ProxyConfig } from '../api/proxyConfig.ts';
import { aggregateStatus } from './aggregateStatus.ts';
import type { ClusterView } from './clusterView.ts';
import { conflictEvent, type ConflictEvent } from './conflictEvent.ts';
import { resolveTargets, type Target } from './resolve.ts';
import { nodesToUpdate } from './rollout.ts';
import { nodeWrite, type NodeWrite } from './writeNodes.ts';

/** Everything that should be written now; empty lists when nothing has changed. */
export interface Reconciliation {
  readonly statusUpdates: readonly StatusUpdate[];
  readonly nodeWrites: readonly NodeWrite[];
}

export interface StatusUpdate {
  readonly config: ProxyConfig;
  readonly status: ProxyConfigStatus;
  /** False when the API server has this status already. */
  readonly changed: boolean;
  readonly event: ConflictEvent | undefined;
}

export function reconcile(view: ClusterView, now: Date): Reconciliation {
  const targets = resolveTargets(view);
  return {
    statusUpdates: targets.map((target) => statusUpdate(target, view, now)),
    nodeWrites: targets.flatMap((target) => writesOf(target, view)),
  };
}

function statusUpdate(target: Target, view: ClusterView, now: Date): StatusUpdate {
  const { config } = target;
  const status = aggregateStatus(target, view, now);
  return { config, status, changed: !isDeepStrictEqual(status, config.status), event: conflictEvent(config.status?.conditions, status.conditions) };
}

function writesOf(target: Target, { nodeProxies }: ClusterView): NodeWrite[] {
  return nodesToUpdate(target, nodeProxies).map((node) => nodeWrite(node, target, nodeProxies.get(node.name)));
}
