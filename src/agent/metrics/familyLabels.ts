/**
 * The values of the metric label `ip_family`.
 */
import type { IPFamily } from '../../model/ipFamily.ts';

/** As kube-proxy's metrics name them. */
export const familyLabels: { readonly [family in IPFamily]: string } = { ipv4: 'IPv4', ipv6: 'IPv6' };
