/**
 * Everything that iptables mode puts into the kernel for one node and family. A Service's rules depend on that
 * Service, the configuration and the node alone, so a change is planned at the cost of the Services that it is about.
 */
import type { ServiceKey } from '../../../model/service.ts';
import type { ServicePort } from '../../../model/servicePort.ts';
import type { ServiceSize } from '../../../model/serviceSize.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import { iptablesContext } from './context.ts';
import type { Turns } from '../../engine/turns.ts';
import type { DispatchPlan } from './fixed.ts';
import { planFixed } from './fixed.ts';
import type { FormattedServicePort } from './format.ts';
import { formatServicePort } from './format.ts';
import { planServicePort } from './servicePortRules.ts';

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
    endpoints += state.ports(key).reduce((sum, port) => sum + port.clusterEndpoints.length, 0);
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

function isCompact(ports: readonly ServicePort[]): boolean {
  return ports.reduce((sum, { clusterEndpoints }) => sum + clusterEndpoints.length, 0) > maxEndpointsWithChains;
}

export interface Planner {
  readonly fixed: DispatchPlan;
  /** The rules of a Service, port by port, each computed when it is asked for. Throws InvalidRule. */
  readonly plan: (ports: readonly ServicePort[]) => Iterable<FormattedServicePort>;
}

export function planner(state: Pick<ServiceState, 'config' | 'node' | 'family'>, commentsOmitted: boolean): Planner {
  const context = iptablesContext(state);
  return {
    fixed: planFixed(context),
    *plan(ports) {
      const shape = { commentsOmitted, isCompact: isCompact(ports) };
      for (const port of ports) yield formatServicePort(planServicePort(port, context, shape));
    },
  };
}

/** The plan of all Services; nothing of a Service is computed yet. */
export function planState(state: ServiceState, commentsOmitted = omitsComments(state)): Plan {
  const { fixed, plan } = planner(state, commentsOmitted);
  return {
    fixed,
    keys: () => state.keys(),
    *rulesOf(key) {
      const servicePorts: FormattedServicePort[] = [];
      for (const servicePort of plan(state.ports(key))) {
        servicePorts.push(servicePort);
        yield;
      }
      return servicePorts;
    },
  };
}
