/**
 * What the rules of one family depend on besides the Services, in the terms of iptables.
 */
import type { ServiceState } from '../../../model/serviceState.ts';
import type { PlanContext } from '../../engine/nodeTraffic.ts';
import { planContext } from '../../engine/nodeTraffic.ts';
import type { PodMatches } from '../../engine/podMatches.ts';
import { podMatches } from '../../engine/podMatches.ts';

export interface IptablesContext extends PlanContext {
  /** How packets of this node's or the cluster's own pods are recognized; undefined without a detector. */
  readonly podTraffic: PodMatches | undefined;
}

/** Where NodePorts are served without `nodePorts.addresses`: on all addresses of the node. */
export const defaultNodePortAddresses: readonly string[] = [];

export function iptablesContext(state: Pick<ServiceState, 'config' | 'node' | 'family'>): IptablesContext {
  const context = planContext(state, defaultNodePortAddresses);
  return { ...context, podTraffic: podMatches(context.pods) };
}
