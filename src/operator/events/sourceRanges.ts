/**
 * What events say to owners of Services whose source ranges are all of one IP family: nobody may come to the load
 * balancer's addresses of the other one (docs/adr/0015-settings-of-one-ip-family.md).
 */
import { shortList } from '../../api/shortList.ts';
import { familyOf } from '../../model/ipFamily.ts';
import type { ServiceRecord } from '../../model/service.ts';
import { familiesWithoutRange } from '../../model/servicePorts.ts';

const maxNamed = 3;

/** undefined where each family in which the Service has load balancer addresses has a range, or none has. */
export function sourceRangesNote(
  service: Pick<ServiceRecord, 'loadBalancerIPs' | 'loadBalancerSourceRanges'>,
): string | undefined {
  const [family] = familiesWithoutRange(service);
  if (family === undefined) return undefined;
  const [name, everybody] = family === 'ipv4' ? ['IPv4', '0.0.0.0/0'] : ['IPv6', '::/0'];
  const addresses = service.loadBalancerIPs.filter((address) => familyOf(address) === family);
  return `nobody is admitted at ${shortList(addresses, maxNamed)}: spec.loadBalancerSourceRanges has no ${name} range; add those that may come, ${everybody} for all`;
}
