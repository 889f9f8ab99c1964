/**
 * Everything that iptables mode puts into the kernel for one node and family. A Service's rules depend on that
 * Service, the configuration and the node alone, so a change is planned at the cost of the Services that it is about.
 */
import type { ServiceKey } from '../../../model/service.ts';
import type { ServicePort } from '../../../model/servicePort.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import { planContext } from '../../engine/planContext.ts';
import type { FixedPlan } from '../../engine/kubeChains.ts';
import { planFixed } from './fixed.ts';
import type { ServicePortRules } from './servicePortRules.ts';
import { planServicePort } from './servicePortRules.ts';

export interface Plan {
  readonly fixed: FixedPlan;
  /** All Services. */
  readonly keys: () => Iterable<ServiceKey>;
  /**
   * The rules of a Service, port by port; none when it is gone or has no address of the family. Computed when asked, so
   * that 10,000 are never held at once.
   */
  readonly rulesOf: (key: ServiceKey) => readonly ServicePortRules[];
  /** Called for a Service whose rules cannot be written, which is then left out. Without it that is an error. */
  readonly onInvalidRule?: (key: ServiceKey, error: unknown) => void;
}

/**
 * kube-proxy's largeClusterEndpointsThreshold: with more, it leaves comments out too, which are half of what the legacy
 * variant copies at each change.
 */
const maxEndpointsWithComments = 1000;

/** What `omitsComments` asked of a state, for the plan of the same state: no Service's endpoints are chosen twice. */
const askedBefore = new WeakMap<ServiceState, Map<ServiceKey, readonly ServicePort[]>>();

/**
 * Whether there are so many endpoints that rules which each of them has go without comments. What it asks until it
 * knows, of about 1,000 endpoints at most, is kept for the next `planState` of the state.
 */
export function omitsComments(state: ServiceState): boolean {
  const asked = new Map<ServiceKey, readonly ServicePort[]>();
  askedBefore.set(state, asked);
  let endpoints = 0;
  for (const key of state.keys()) {
    const ports = state.ports(key);
    asked.set(key, ports);
    endpoints += ports.reduce((sum, port) => sum + port.clusterEndpoints.length, 0);
    if (endpoints > maxEndpointsWithComments) return true;
  }
  return false;
}

/**
 * The plan of all Services; no rule of a Service is computed yet. A Service is asked for anew each time but the first
 * one after `omitsComments`.
 */
export function planState(state: ServiceState, commentsOmitted = omitsComments(state)): Plan {
  const context = planContext(state);
  const asked = askedBefore.get(state);
  askedBefore.delete(state);
  const portsOf = (key: ServiceKey): readonly ServicePort[] => {
    const ports = asked?.get(key) ?? state.ports(key);
    asked?.delete(key);
    return ports;
  };
  return {
    fixed: planFixed(context),
    keys: () => state.keys(),
    rulesOf: (key) => portsOf(key).map((port) => planServicePort(port, context, commentsOmitted)),
  };
}
