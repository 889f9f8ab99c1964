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
import type { ServicePort } from '../../../model/servicePort.ts';
import type { ServiceSize } from '../../../model/serviceSize.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import type { Chain } from '../../../netfilter/xtables/chain.ts';
import type { FixedPlan } from '../../../netfilter/xtables/fixedChains.ts';
import type { Turns } from '../turns.ts';
import type { EndpointRulesShape } from './endpointRules.ts';
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
  readonly rulesOf: (key: ServiceKey) => Turns<readonly FormattedServicePort[]>;
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
    endpoints += endpointsOf(state.ports(key));
    if (endpoints > maxEndpointsWithComments) return true;
  }
  return false;
}

/**
 * With more endpoints, those of all ports together, a Service has compact rules. Reading a table back takes the nft
 * variant time by the square of the number of chains (measured, 1.8.9: 75 s with 100,000, 1 s with 3,000).
 */
const maxEndpointsWithChains = 5000;

/** Of a Service with compact rules; one with fewer endpoints has some thousands more at most. */
export function rulesOfSize({ ports, endpoints, frontends, sourceRanges, hasAffinity }: ServiceSize): number {
  return endpoints * (hasAffinity ? 2 : 1) + ports * (frontends + sourceRanges);
}

/** An endpoint has a rule in a balancer, a chain, and two rules in that. */
export function maxLinesOfEndpoints(ports: readonly ServicePort[]): number {
  return 4 * endpointsOf(ports);
}

function endpointsOf(ports: readonly ServicePort[]): number {
  return ports.reduce((sum, { clusterEndpoints }) => sum + clusterEndpoints.length, 0);
}

/** How the rules of a Service are worded that there are as many of as endpoints; `ports`: all of the Service. */
export function shapeOf(ports: readonly ServicePort[], commentsOmitted: boolean): EndpointRulesShape {
  return { commentsOmitted, isCompact: endpointsOf(ports) > maxEndpointsWithChains };
}
