/**
 * What rules depend on besides the Services, in the terms of iptables.
 */
import type { PlanContext, Surroundings } from '../nodeTraffic.ts';
import { planContext } from '../nodeTraffic.ts';
import type { PodMatches } from '../podMatches.ts';
import { podMatches } from '../podMatches.ts';

export interface RulesContext extends PlanContext {
  /** How packets of this node's or the cluster's own pods are recognized; undefined without a detector. */
  readonly podTraffic: PodMatches | undefined;
}

/** Of one family. `defaultNodePortAddresses`: as `planContext` takes them. */
export function rulesContext(state: Surroundings, defaultNodePortAddresses: readonly string[]): RulesContext {
  const context = planContext(state, defaultNodePortAddresses);
  return { ...context, podTraffic: podMatches(context.pods) };
}
