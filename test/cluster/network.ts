/**
 * The wires between the machines: a bridge in the control plane's network namespace, and a cable from it to each
 * machine's. Pure: batches for `ip -batch`, and sysctls, in the order to apply them.
 * @module
 */
import { familyOf } from '../../src/model/ipFamily.ts';
import { machinePrefixLengths } from './addresses.ts';
import type { ClusterNetwork, MachineAddress, NodeAddress } from './addresses.ts';

export const bridge = 'br0';
/** Every machine's only interface to the others. */
export const uplink = 'eth0';

export interface Wiring {
  /** Lines for `ip -batch` in the network namespace. */
  readonly links: readonly string[];
  readonly sysctls: readonly (readonly [path: string, value: string])[];
}

/** Applied before any cable: what comes up later inherits it. */
export const routerSysctls: Wiring['sysctls'] = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv6/conf/all/forwarding', '1'],
  ['net/ipv6/conf/default/accept_ra', '0'],
  ['net/ipv6/conf/default/accept_dad', '0'],
  ['net/ipv4/conf/all/rp_filter', '0'],
  ['net/ipv4/conf/default/rp_filter', '0'],
];

/** Leads to the network namespace of a process. */
export interface Cable {
  readonly name: string;
  readonly pid: number;
}

export function controlPlaneWiring(machines: readonly Cable[], { controlPlane, nodes }: ClusterNetwork): Wiring {
  const cables = machines.flatMap(({ name, pid }) => [
    `link add ${name} type veth peer name ${uplink} netns ${pid}`,
    `link set ${name} master ${bridge} up`,
  ]);
  const links = ['link set lo up', `link add ${bridge} type bridge`, ...addressLines(controlPlane, bridge), ...cables];
  return { links: [...links, ...nodes.flatMap(podRouteLines)], sysctls: routerSysctls };
}

/**
 * A node forwards for its pods, knows where each other node's pods are, and leaves the rest to the bridge's machine.
 */
export function nodeWiring(self: NodeAddress, { controlPlane, nodes }: ClusterNetwork): Wiring {
  const others = nodes.filter(({ name }) => name !== self.name);
  const defaults = controlPlane.addresses.map((address) => `route add default via ${address}`);
  return { links: [...machineLines(self), ...defaults, ...others.flatMap(podRouteLines)], sysctls: routerSysctls };
}

/** Only the machines of its own subnet: there is no way to pods and Services but through a node. */
export function outsideWiring(self: MachineAddress): Wiring {
  return { links: machineLines(self), sysctls: [['net/ipv6/conf/default/accept_ra', '0']] };
}

function machineLines(self: MachineAddress): string[] {
  return ['link set lo up', ...addressLines(self, uplink)];
}

/** `nodad`: an IPv6 address that is still being checked for duplicates cannot be listened on. */
function addressLines({ addresses }: MachineAddress, device: string): string[] {
  const lines = addresses.map((address) => {
    const family = familyOf(address);
    const check = family === 'ipv6' ? ' nodad' : '';
    return `addr add ${address}/${machinePrefixLengths[family]} dev ${device}${check}`;
  });
  return [...lines, `link set ${device} up`];
}

function podRouteLines({ podCIDRs, addresses }: NodeAddress): string[] {
  return podCIDRs.map((podCIDR, index) => `route add ${podCIDR} via ${addresses[index]}`);
}
