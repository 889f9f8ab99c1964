/**
 * Everything that iptables mode puts into the kernel for one node and family. A Service's fragments depend on that Service, the
 * configuration and the node alone, so a change is planned at the cost of the Services that it touches.
 */
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { PlanContext } from './context.ts';
import { planContext } from './context.ts';
import type { FixedPlan } from './fixed.ts';
import { planFixed } from './fixed.ts';
import type { Fragment } from './fragment.ts';
import { planServicePort } from './fragment.ts';

export interface Plan {
  readonly fixed: FixedPlan;
  /** The fragments of a Service; none when it is gone or has no address of the family. */
  readonly fragmentsOf: (key: ServiceKey) => readonly Fragment[];
  /** All of them, one Service after the other: computed while they are read, so that 10,000 Services are never held at once. */
  readonly services: () => Iterable<readonly [ServiceKey, readonly Fragment[]]>;
}

export function planState(state: ServiceState): Plan {
  const context = planContext(state);
  const fragmentsOf = (key: ServiceKey): readonly Fragment[] => planService(key, state, context);
  return { fixed: planFixed(context), fragmentsOf, services: () => eachService(state, fragmentsOf) };
}

function planService(key: ServiceKey, state: ServiceState, context: PlanContext): readonly Fragment[] {
  return state.ports(key).map((port) => planServicePort(port, context));
}

function* eachService(state: ServiceState, fragmentsOf: Plan['fragmentsOf']): Generator<readonly [ServiceKey, readonly Fragment[]]> {
  for (const key of state.keys()) {
    const fragments = fragmentsOf(key);
    if (fragments.length > 0) yield [key, fragments];
  }
}
