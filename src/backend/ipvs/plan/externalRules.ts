/**
 * The rules of external and load balancer IPs, which ip_vs must not serve: it would have to have them on this node, and
 * they may be another node's, the API server's, the gateway's or the resolver's
 * (docs/adr/0017-no-external-address-becomes-local.md).
 *
 * A Service's own chains are those of iptables mode, rule for rule, also where only other frontends than these need
 * one: so a change between the modes leaves them as they are, whichever dispatch leads to them meanwhile.
 */
import type { ServicePort } from '../../../model/servicePort.ts';
import type { RulesContext } from '../../engine/serviceRules/context.ts';
import type { FormattedServicePort } from '../../engine/serviceRules/format.ts';
import { formatServicePort } from '../../engine/serviceRules/format.ts';
import { shapeOf } from '../../engine/serviceRules/plan.ts';
import { planServicePort } from '../../engine/serviceRules/servicePortRules.ts';

/** None for a Service without such addresses. Throws InvalidRule. */
export function planExternalRules(
  ports: readonly ServicePort[],
  context: RulesContext,
  commentsOmitted: boolean,
): readonly FormattedServicePort[] {
  const shape = shapeOf(ports, commentsOmitted);
  return ports
    .filter(({ externalIPs, loadBalancerIPs }) => externalIPs.length + loadBalancerIPs.length > 0)
    .map((port) => {
      const { chains, dispatch, endpoints } = formatServicePort(planServicePort(port, context, shape));
      return { chains, dispatch: dispatch.filter(({ address }) => isExternal(address, port)), endpoints };
    });
}

/** A rule without an address is a NodePort's or a health check's, which have sets. */
function isExternal(address: string | undefined, { clusterIP }: ServicePort): boolean {
  return address !== undefined && address !== clusterIP;
}
