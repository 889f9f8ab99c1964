/**
 * What events say to owners of Services whose external IPs are not served, and why.
 */
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { shortList } from '../../api/shortList.ts';
import { allowedExternalIPs } from '../../model/externalIPs.ts';
import type { ServiceRecord } from '../../model/service.ts';

const maxNamed = 3;

/** undefined where these ProxyConfigs, which govern nodes, allow all external IPs of the Service. */
export function externalIPsNote(
  { externalIPs }: Pick<ServiceRecord, 'externalIPs'>,
  configs: readonly ProxyConfig[],
): string | undefined {
  const refusals = configs.map(({ metadata, spec }) => {
    const allowed = new Set(allowedExternalIPs(externalIPs, spec));
    return { config: metadata.name, addresses: externalIPs.filter((address) => !allowed.has(address)) };
  });
  const refusing = refusals.filter(({ addresses }) => addresses.length > 0);
  if (refusing.length === 0) return undefined;
  const addresses = [...new Set(refusing.flatMap((refusal) => refusal.addresses))];
  return `not served: externalIPs ${shortList(addresses, maxNamed)}, on nodes of ProxyConfig ${shortList(
    refusing.map(({ config }) => config),
    maxNamed,
  )}; its spec.externalIPs.allowedCIDRs does not hold them`;
}
