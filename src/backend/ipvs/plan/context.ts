/**
 * What the plan depends on besides the Services, in the terms of ipvs.
 */
import { cidrContains, familyOf } from '../../../model/ipFamily.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import type { PlanContext } from '../../engine/planContext.ts';
import { planContext } from '../../engine/planContext.ts';
import type { Scheduler } from './virtualServer.ts';

export interface IpvsContext extends PlanContext {
  readonly scheduler: Scheduler;
  /** The node's addresses on all devices but kube-ipvs0; these never go onto kube-ipvs0. */
  readonly localAddresses: ReadonlySet<string>;
  /** Those of them that serve NodePorts: one virtual server each. */
  readonly nodePortAddresses: readonly string[];
}

/** `localAddresses`: the node's own, canonical, without loopback and link-local ones. */
export function ipvsContext(state: ServiceState, localAddresses: readonly string[]): IpvsContext {
  const context = planContext(state);
  const { nodePortNetworks } = context;
  const serves = (address: string): boolean =>
    nodePortNetworks === 'all' ||
    nodePortNetworks.some((network) => (network.includes('/') ? cidrContains(network, address) : network === address));
  return {
    ...context,
    scheduler: state.config.ipvs?.scheduler ?? 'rr',
    localAddresses: new Set(localAddresses),
    nodePortAddresses: localAddresses.filter(serves).sort(),
  };
}

/** The addresses of the Node object in the family, where there is no node to ask. */
export function declaredAddresses({ node, family }: Pick<ServiceState, 'node' | 'family'>): readonly string[] {
  return node.addresses.filter((address) => familyOf(address) === family);
}
