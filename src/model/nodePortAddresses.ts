/**
 * Where NodePorts are served in one IP family: `nodePorts.addresses`, whose keywords are those of kube-proxy 1.37. Pure.
 */
import { cidrContains, familyOf, type IPFamily } from './ipFamily.ts';

/** All loopback addresses of a family. */
export function loopbackNetwork(family: IPFamily): string {
  return family === 'ipv4' ? '127.0.0.0/8' : '::1/128';
}

/** Canonical addresses and networks in no particular order, or all of the node's addresses. */
export type NodePortNetworks = readonly string[] | 'all';

/**
 * What a list of `primary`, `localhost`, `all` and canonical CIDRs selects in a family; a network of one family says
 * nothing of the other. `primary`: the node's primary address of the family; without one the keyword selects nothing.
 */
export function nodePortNetworks(
  addresses: readonly string[],
  primary: string | undefined,
  family: IPFamily,
): NodePortNetworks {
  const networks = addresses.flatMap((entry) => networksOf(entry, primary, family));
  return networks.some((network) => network.endsWith('/0')) ? 'all' : networks;
}

function networksOf(entry: string, primary: string | undefined, family: IPFamily): readonly string[] {
  switch (entry) {
    case 'all':
      return [family === 'ipv4' ? '0.0.0.0/0' : '::/0'];
    case 'primary':
      return primary === undefined ? [] : [primary];
    case 'localhost':
      return [loopbackNetwork(family)];
    default:
      return familyOf(entry) === family ? [entry] : [];
  }
}

/** Whether one of the networks, or addresses, holds the address. */
export function servesNodePorts(networks: NodePortNetworks, address: string): boolean {
  if (networks === 'all') return true;
  return networks.some((network) => (network.includes('/') ? cidrContains(network, address) : network === address));
}
