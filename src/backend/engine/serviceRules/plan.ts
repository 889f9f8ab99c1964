/**
 * @module The rules of Services, which lead packets to endpoints by chains and DNAT: iptables mode serves by them
 * alone, ipvs mode what ip_vs must not serve. This folder has them as data: one Service port (`servicePortRules.ts`),
 * all that the kernel holds and what a change makes of it (`serviceChains.ts`), and the input of iptables-restore
 * (`transaction.ts`). `../apply` writes them.
 *
 * A Service's rules depend on that Service, the configuration and the node alone, so a change is planned at the cost of
 * the Services that it is about.
 */
import type { ServiceKey } from '../../../model/service.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import type { Chain } from '../../../netfilter/xtables/chain.ts';
import type { FixedPlan } from '../../../netfilter/xtables/fixedChains.ts';
import type { FormattedServicePort } from './format.ts';

/** A fixed plan, and the chains that the rules of Services are put into. */
export interface DispatchPlan extends FixedPlan {
  /** The rules here come after those of the Services. What is referred to comes first. */
  readonly dispatch: readonly Chain[];
}

/** Everything that a mode puts into the tables for one node and family. */
export interface Plan {
  readonly fixed: DispatchPlan;
  /** All Services. */
  readonly keys: () => Iterable<ServiceKey>;
  /**
   * The rules of a Service, port by port; none when it is gone or has no address of the family. Computed when asked, so
   * that 10,000 are never held at once. Throws InvalidRule where one holds something that must not reach the kernel.
   */
  readonly rulesOf: (key: ServiceKey) => readonly FormattedServicePort[];
}

/**
 * kube-proxy's largeClusterEndpointsThreshold: with more, it leaves comments out too, which are half of what the legacy
 * variant copies at each change.
 */
const maxEndpointsWithComments = 1000;

/** Whether there are so many endpoints that rules which each of them has go without comments. Asks no further. */
export function omitsComments(state: Pick<ServiceState, 'keys' | 'ports'>): boolean {
  let endpoints = 0;
  for (const key of state.keys()) {
    endpoints += state.ports(key).reduce((sum, port) => sum + port.clusterEndpoints.length, 0);
    if (endpoints > maxEndpointsWithComments) return true;
  }
  return false;
}
