/**
 * Every address of the cluster, computed from the numbers of the machines. Pure.
 *
 * All of it exists in network namespaces only: clusters side by side use the same addresses.
 * @module
 */

export interface DualStackAddress {
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface MachineAddress extends DualStackAddress {
  readonly name: string;
}

export interface NodeAddress extends MachineAddress {
  /** IPv4 first. */
  readonly podCIDRs: readonly [string, string];
  /** Where the node would stand in a cloud; the nodes alternate between two. */
  readonly zone: string;
}

export const machinePrefixLengths = { ipv4: 24, ipv6: 64 } as const;

/** The control plane's bridge: the API server's address, and every machine's router. */
export const controlPlaneAddress: DualStackAddress = { ipv4: '10.89.0.1', ipv6: 'fd00:10:89::1' };
export const apiServerPort = 6443;

/** A client outside of the cluster: it reaches the nodes, and has no route to pods and Services. */
export const outsideAddress: MachineAddress = { name: 'outside', ipv4: '10.89.0.200', ipv6: 'fd00:10:89::200' };

export const dnsServiceAddress: DualStackAddress = { ipv4: '10.96.0.10', ipv6: 'fd00:10:96::a' };

const maximumNodes = 99;

export function nodeAddresses(count: number): NodeAddress[] {
  if (!Number.isInteger(count) || count < 1 || count > maximumNodes) {
    throw new RangeError(`a cluster has between 1 and ${maximumNodes} nodes, not ${count}`);
  }
  return Array.from({ length: count }, (_, index) => nodeAddress(index + 1));
}

function nodeAddress(number: number): NodeAddress {
  return {
    name: `node${number}`,
    ipv4: `10.89.0.${10 + number}`,
    ipv6: `fd00:10:89::${10 + number}`,
    podCIDRs: [`10.244.${number}.0/24`, `fd00:10:244:${number}::/64`],
    zone: number % 2 === 1 ? 'zone-a' : 'zone-b',
  };
}
