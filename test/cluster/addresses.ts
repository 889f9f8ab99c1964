/**
 * Every address of the cluster, computed from its IP families and the numbers of the machines. Pure.
 *
 * All of it exists in network namespaces only: clusters side by side use the same addresses.
 * @module
 */
import { familyOf, type IPFamily } from '../../src/model/ipFamily.ts';

/** What machines, Pods and Services have addresses of; where it is both, IPv4 is the primary one. */
export const networkFamilies = { dual: ['ipv4', 'ipv6'], ipv4: ['ipv4'], ipv6: ['ipv6'] } as const satisfies Readonly<
  Record<string, readonly IPFamily[]>
>;
export type NetworkFamily = keyof typeof networkFamilies;

export interface MachineAddress {
  readonly name: string;
  /** Of the primary family. */
  readonly address: string;
  /** One of each family, the primary one first. */
  readonly addresses: readonly string[];
}

export interface NodeAddress extends MachineAddress {
  /** One of each family, the primary one first. */
  readonly podCIDRs: readonly string[];
  /** Where the node would stand in a cloud; the nodes alternate between two. */
  readonly zone: string;
}

/** Each list has one entry of each family, the primary one first. */
export interface ClusterNetwork {
  readonly family: NetworkFamily;
  /** The control plane's bridge: the API server's address, and every machine's router. */
  readonly controlPlane: MachineAddress;
  readonly nodes: readonly NodeAddress[];
  /** A client outside of the cluster: it reaches the nodes, and has no route to pods and Services. */
  readonly outside: MachineAddress;
  readonly podRanges: readonly string[];
  readonly serviceRanges: readonly string[];
  /** The first address of each Service range is the API server's own ClusterIP. */
  readonly apiServerService: readonly string[];
  readonly dnsService: readonly string[];
}

export const apiServerPort = 6443;
export const machinePrefixLengths: Readonly<Record<IPFamily, number>> = { ipv4: 24, ipv6: 64 };
export const podRanges: Readonly<Record<IPFamily, string>> = { ipv4: '10.244.0.0/16', ipv6: 'fd00:10:244::/48' };
/** Wide enough for the ClusterIPs that the documents on kube-proxy use as examples. */
export const serviceRanges: Readonly<Record<IPFamily, string>> = { ipv4: '10.96.0.0/12', ipv6: 'fd00:10:96::/112' };

const machineOf = { ipv4: (host: number) => `10.89.0.${host}`, ipv6: (host: number) => `fd00:10:89::${host}` };
const podCIDROf = {
  ipv4: (node: number) => `10.244.${node}.0/24`,
  ipv6: (node: number) => `fd00:10:244:${node}::/64`,
};
const serviceOf = {
  ipv4: (host: number) => `10.96.0.${host}`,
  ipv6: (host: number) => `fd00:10:96::${host.toString(16)}`,
};
const maximumNodes = 99;

/** Throws a RangeError for a number of nodes that there are no addresses for. */
export function clusterNetwork(nodes: number, family: NetworkFamily = 'dual'): ClusterNetwork {
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > maximumNodes) {
    throw new RangeError(`a cluster has between 1 and ${maximumNodes} nodes, not ${nodes}`);
  }
  const each = <T>(of: (family: IPFamily) => T): T[] => networkFamilies[family].map(of);
  return {
    family,
    controlPlane: machineAddress('control-plane', 1, family),
    nodes: Array.from({ length: nodes }, (_, index) => nodeAddress(index + 1, family)),
    outside: machineAddress('outside', 200, family),
    podRanges: each((of) => podRanges[of]),
    serviceRanges: each((of) => serviceRanges[of]),
    apiServerService: each((of) => serviceOf[of](1)),
    dnsService: each((of) => serviceOf[of](10)),
  };
}

function nodeAddress(number: number, family: NetworkFamily): NodeAddress {
  const podCIDRs = networkFamilies[family].map((of) => podCIDROf[of](number));
  return {
    ...machineAddress(`node${number}`, 10 + number, family),
    podCIDRs,
    zone: number % 2 === 1 ? 'zone-a' : 'zone-b',
  };
}

function machineAddress(name: string, host: number, family: NetworkFamily): MachineAddress {
  const addresses = networkFamilies[family].map((of) => machineOf[of](host));
  return { name, address: primaryOf(addresses), addresses };
}

/** The first of a list that has one entry of each family. */
export function primaryOf(list: readonly string[]): string {
  const [primary] = list;
  if (primary === undefined) throw new Error('a network has at least one IP family');
  return primary;
}

/** A machine's address in a family; throws where its network has none. */
export function addressIn(family: IPFamily, { name, addresses }: MachineAddress): string {
  const found = addresses.find((address) => familyOf(address) === family);
  if (found === undefined) throw new Error(`${name} has no address of ${family}`);
  return found;
}

/** An address as it stands before a colon and a port. */
export function hostInUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

export function apiServerUrl({ controlPlane }: Pick<ClusterNetwork, 'controlPlane'>): string {
  return `https://${hostInUrl(controlPlane.address)}:${apiServerPort}`;
}
