/**
 * Which addresses are the node's own. Pure: what the kernel says is given.
 */
import { canonicalAddress, cidrContains, familyOf, type IPFamily, ipFamilies } from './ipFamily.ts';
import type { NodeRecord } from './node.ts';

/** One address of one of the kernel's devices. */
export interface DeviceAddress {
  readonly device: string;
  /** As the kernel spells it, without the name of a device. */
  readonly address: string;
}

/** The addresses of a node at one moment; all are canonical. */
export interface NodeAddresses {
  /** The first of the family in Node.status; undefined where that has none. */
  primary(family: IPFamily): string | undefined;
  /**
   * Those that a program on the node can listen on, each once: on the node's own devices, loopback addresses included,
   * without link-local ones of IPv6. Where the kernel shows none, those in Node.status.
   */
  all(family: IPFamily): readonly string[];
  /** Whether it stands on a device of the node's own, or in Node.status, which may know more than the devices do. */
  has(address: string): boolean;
}

type Declared = Pick<NodeRecord, 'addresses'>;

/** `devices`: the addresses that the kernel shows, of any devices; others are left out. */
export function nodeAddressesOf(devices: Iterable<DeviceAddress>, node: Declared): NodeAddresses {
  const onDevices = new Set<string>();
  for (const { device, address } of devices) {
    const canonical = isServiceDevice(device) ? undefined : canonicalAddress(address);
    if (canonical !== undefined) onDevices.add(canonical);
  }
  const declared = new Set(node.addresses);
  return {
    primary: (family) => declaredAddresses(node, family)[0],
    all: (family) => {
      const shown = [...onDevices].filter((address) => familyOf(address) === family && !needsDevice(address));
      return shown.length > 0 ? shown : [...new Set(declaredAddresses(node, family))];
    },
    has: (address) => onDevices.has(address) || declared.has(address),
  };
}

/** Those in Node.status of one family; the first one is the primary. */
export function declaredAddresses({ addresses }: Declared, family: IPFamily): readonly string[] {
  return addresses.filter((address) => familyOf(address) === family);
}

/** Whether the addresses on a device are those of Services: ipvs mode puts them there to make them local. */
export function isServiceDevice(device: string): boolean {
  return device === 'kube-ipvs0';
}

/** Whether an address means nothing without the device that it stands on: the link-local ones of IPv6 (RFC 4007). */
export function needsDevice(address: string): boolean {
  return cidrContains('fe80::/10', address);
}

/**
 * The IP families that a node serves, IPv4 first: those of its addresses and Pod ranges, and those of Services, for
 * Node.status may name one family alone where Pods and Services have both (a kubelet without --node-ip). IPv4 alone
 * where there are none yet: the node may be waiting for its cloud provider, which may be behind an IPv4 Service.
 */
export function familiesOf(
  node: Pick<NodeRecord, 'addresses' | 'podCIDRs'>,
  ofServices: Iterable<IPFamily> = [],
): readonly IPFamily[] {
  const present = new Set([...[...node.addresses, ...node.podCIDRs].map(familyOf), ...ofServices]);
  return present.size === 0 ? ['ipv4'] : ipFamilies.filter((family) => present.has(family));
}
