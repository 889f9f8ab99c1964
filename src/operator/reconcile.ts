/**
 * @module From what the cluster is to what should be written to it: resolve -> rollout -> write -> aggregate, each a pure step.
 */
import type { ProxyConfig } from '../api/proxyConfig.ts';
import type { ProxyConfigStatus } from '../api/nodeConfig.ts';
import { aggregateStatus } from './aggregateStatus.ts';
import type { ClusterView } from './clusterView.ts';
import { conflictEvent, type ConflictEvent } from './conflictEvent.ts';
import { resolveTargets } from './resolve.ts';
import { nodesToUpdate } from './rollout.ts';
import { nodeWrite, type NodeWrite } from './writeNodes.ts';

export interface Reconciliation {
  readonly nodeWrites: readonly NodeWrite[];
  /** Of every ProxyConfig that stands; which of them changed is the writer's to see. */
  readonly statuses: readonly StatusUpdate[];
}

export interface StatusUpdate {
  readonly config: ProxyConfig;
  readonly status: ProxyConfigStatus;
  /** Present when the conflict state is not the one in the ProxyConfig's present status. */
  readonly event: ConflictEvent | undefined;
}

export function reconcile(view: ClusterView, now: Date): Reconciliation {
  const targets = resolveTargets(view);
  return {
    nodeWrites: targets.flatMap((target) => nodesToUpdate(target, view.nodeProxies).map((node) => nodeWrite(node, target, view.nodeProxies.get(node.name)))),
    statuses: targets.map((target) => {
      const status = aggregateStatus(target, view, now);
      return { config: target.config, status, event: conflictEvent(target.config.status?.conditions, status.conditions) };
    }),
  };
}
