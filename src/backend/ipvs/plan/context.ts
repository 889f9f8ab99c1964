/**
 * What the plan depends on besides the Services, in the terms of ipvs.
 */
import { servesNodePorts } from '../../../model/nodePortAddresses.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import { type RulesContext, rulesContext } from '../../engine/serviceRules/context.ts';

type Scheduler = NonNullable<NodeConfig['ipvs']>['scheduler'];

/** Where NodePorts are served without `nodePorts.addresses`: on all addresses of the node. */
export const defaultNodePortAddresses: readonly string[] = ['all'];

export interface IpvsContext extends RulesContext {
  readonly scheduler: Scheduler;
  /** The node's addresses on all devices but kube-ipvs0; these never go onto kube-ipvs0. */
  readonly localAddresses: ReadonlySet<string>;
  /** Those of them that serve NodePorts: one virtual server each. */
  readonly nodePortAddresses: readonly string[];
}

/** `localAddresses`: the node's own, canonical, without loopback and link-local ones. */
export function ipvsContext(state: ServiceState, localAddresses: readonly string[]): IpvsContext {
  const context = rulesContext(state, defaultNodePortAddresses);
  return {
    ...context,
    scheduler: state.config.ipvs?.scheduler ?? 'rr',
    localAddresses: new Set(localAddresses),
    nodePortAddresses: localAddresses.filter((address) => servesNodePorts(context.nodePortNetworks, address)).sort(),
  };
}
