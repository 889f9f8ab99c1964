/**
 * Which external IPs may be served at all.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import { cidrContains } from './ipFamily.ts';

/**
 * The external IPs that are in one of the configuration's `externalIPs.allowedCIDRs`; none without any. Whoever may
 * create a Service could draw any address's traffic to it (CVE-2020-8554), so only those are served.
 */
export function allowedExternalIPs(
  externalIPs: readonly string[],
  config: Pick<NodeConfig, 'externalIPs'>,
): readonly string[] {
  const allowed = config.externalIPs?.allowedCIDRs ?? [];
  return externalIPs.filter((address) => allowed.some((cidr) => cidrContains(cidr, address)));
}
