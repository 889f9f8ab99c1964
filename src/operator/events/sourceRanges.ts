/**
 * What events say to owners of Services whose source ranges are all of one IP family: nobody may come to the load
 * balancer's addresses of the other one (docs/adr/0015-settings-of-one-ip-family.md).
 */
import { familyOf } from '../../model/ipFamily.ts';
import type { ServiceRecord } from '../../model/service.ts';
import { familiesWithoutRange } from '../../model/servicePorts.ts';
import { short } from './short.ts';

const words = { ipv4: 'IPv4', ipv6: 'IPv6' } as const;
const everybody = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const;

/** undefined where each family in which the Service has load balancer addresses has a range, or none has. */
export function sourceRangesNote(
  service: Pick<ServiceRecord, 'loadBalancerIPs' | 'loadBalancerSourceRanges'>,
): string | undefined {
  const [family] = familiesWithoutRange(service);
  if (family === undefined) return undefined;
  const addresses = service.loadBalancerIPs.filter((address) => familyOf(address) === family);
  return `nobody is admitted at ${short(addresses)}: spec.loadBalancerSourceRanges has no ${words[family]} range; add those that may come, ${everybody[family]} for all`;
}
