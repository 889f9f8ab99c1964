import type { IPFamily } from '../model/ipFamily.ts';

/** The values of the label `ip_family`, as kube-proxy's metrics name them. */
export const familyLabels: { readonly [family in IPFamily]: string } = { ipv4: 'IPv4', ipv6: 'IPv6' };
