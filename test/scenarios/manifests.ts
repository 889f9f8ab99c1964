/** Services that the packet tables are built from. */
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { ServiceManifest } from '../support/serviceManifests.ts';
import { clusterIP } from '../support/serviceManifests.ts';

/** One Service of TCP and UDP that podA serves. */
export function single(name: string, index: number, rest: Partial<ServiceManifest> = {}): ServiceManifest {
  return { name, clusterIP: clusterIP(index), pods: ['podA'], ...rest };
}

export const externalLocal = { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Cluster' };

export const nodePort = (port: number): NonNullable<ServiceManifest['ports']> => [
  { name: 'tcp', port: 80, nodePort: port, protocol: 'TCP' },
  { name: 'udp', port: 80, nodePort: port, protocol: 'UDP' },
];

export const externalIP = (index: number): ServiceManifest['clusterIP'] => ({
  ipv4: `198.51.100.${index}`,
  ipv6: `2001:db8:3::${index}`,
});
export const allowedExternalIPs: Partial<NodeConfig> = {
  externalIPs: { allowedCIDRs: ['198.51.100.0/24', '2001:db8:3::/64'] },
};

/** An external IP by index, beside whatever else the spec says. */
export const withExternalIP = (index: number, spec: object = {}): Partial<ServiceManifest> => ({
  spec: { externalIPs: Object.values(externalIP(index)), ...spec },
});
