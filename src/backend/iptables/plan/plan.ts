/**
 * Everything that iptables mode puts into the kernel for one node and family.
 */
import type { ServicePort } from '../../../model/servicePort.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import { clusterIPRules } from '../../engine/clusterIPsCheck.ts';
import type { Surroundings } from '../../engine/nodeTraffic.ts';
import { rulesContext } from '../../engine/serviceRules/context.ts';
import type { FormattedServicePort } from '../../engine/serviceRules/format.ts';
import { formatServicePort } from '../../engine/serviceRules/format.ts';
import { type DispatchPlan, omitsComments, type Plan, shapeOf } from '../../engine/serviceRules/plan.ts';
import { planServicePort } from '../../engine/serviceRules/servicePortRules.ts';
import { planFixed } from './fixed.ts';

/** Where NodePorts are served without `nodePorts.addresses`: on all addresses of the node. */
export const defaultNodePortAddresses: readonly string[] = ['all'];

export interface Planner {
  readonly fixed: DispatchPlan;
  /** The rules of a Service, port by port, each computed when it is asked for. Throws InvalidRule. */
  readonly plan: (ports: readonly ServicePort[]) => Iterable<FormattedServicePort>;
}

export function planner(state: Surroundings, commentsOmitted: boolean): Planner {
  const context = rulesContext(state, defaultNodePortAddresses);
  const rulesOfClusterIP = clusterIPRules(context);
  return {
    fixed: planFixed(context),
    *plan(ports) {
      const shape = shapeOf(ports, commentsOmitted);
      for (const [index, port] of ports.entries()) {
        const rules = planServicePort(port, context, shape);
        // All ports have the one address: its rule is the first one's.
        const ofAddress = index === 0 ? rulesOfClusterIP(port) : [];
        yield formatServicePort({ ...rules, dispatch: [...rules.dispatch, ...ofAddress] });
      }
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
