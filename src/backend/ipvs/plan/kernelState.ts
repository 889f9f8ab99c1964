/**
 * What the kernel holds, as data: read from its tools at the start and on each check, and kept up to date in memory in
 * between.
 */
import type { ExistingSet } from '../../../netfilter/ipset/setReader.ts';
import type { ExistingServer } from '../../../netfilter/ipvs/serverReader.ts';
import { hasSettings } from '../../../netfilter/ipvs/serverReader.ts';
import type { FormerSetId, SetId } from './sets.ts';
import type { ServerName } from '../../../netfilter/ipvs/virtualServer.ts';

export interface KernelState {
  readonly hasDevice: boolean;
  /** On kube-ipvs0. */
  readonly addresses: Set<string>;
  /** On all other devices, without loopback and link-local ones; sorted. */
  readonly localAddresses: readonly string[];
  readonly servers: Map<ServerName, ExistingServer>;
  readonly sets: Map<SetId, ExistingSet>;
  readonly formerSets: ReadonlyMap<FormerSetId, ExistingSet>;
  /** Whether there is a set left over in which a larger one was to be built, when that was cut short. */
  readonly hasSpareSet: boolean;
}

/** A node that never ran ipvs. */
export function emptyKernel(localAddresses: readonly string[]): KernelState {
  return {
    hasDevice: false,
    addresses: new Set(),
    localAddresses,
    servers: new Map(),
    sets: new Map(),
    formerSets: new Map(),
    hasSpareSet: false,
  };
}

/**
 * The first thing in which the kernel is not as desired, in words for a log; undefined when all is there. What others
 * added is no difference, but in our sets and virtual servers.
 */
export function findDifference(actual: KernelState, desired: KernelState): string | undefined {
  if (!actual.hasDevice) return 'the device kube-ipvs0 is missing';
  return addressDifference(actual, desired) ?? setDifference(actual, desired) ?? serverDifference(actual, desired);
}

function addressDifference(actual: KernelState, desired: KernelState): string | undefined {
  for (const address of desired.addresses)
    if (!actual.addresses.has(address)) return `address ${address} is missing on kube-ipvs0`;
  return undefined;
}

/**
 * Whether the node's own addresses are others by now. NodePorts are served on the node's own addresses, each a virtual
 * server, and cluster IPs among them are left off kube-ipvs0.
 */
export function isOfOtherAddresses(actual: KernelState, desired: KernelState): boolean {
  return actual.localAddresses.join() !== desired.localAddresses.join();
}

function setDifference(actual: KernelState, desired: KernelState): string | undefined {
  for (const [id, { entries }] of desired.sets) {
    const found = actual.sets.get(id);
    if (found === undefined) return `set ${id} is missing`;
    if (found.entries.size !== entries.size)
      return `set ${id} holds ${found.entries.size} entries instead of ${entries.size}`;
    for (const entry of entries) if (!found.entries.has(entry)) return `entry ${entry} of set ${id} is missing`;
  }
  return undefined;
}

function serverDifference(actual: KernelState, desired: KernelState): string | undefined {
  for (const [name, server] of desired.servers) {
    const found = actual.servers.get(name);
    if (found === undefined) return `virtual server ${name} is missing`;
    if (!hasSettings(found, server)) return `virtual server ${name} has other settings`;
    for (const [address, { weight, masquerading }] of server.realServers) {
      const real = found.realServers.get(address);
      if (real === undefined) return `real server ${address} of ${name} is missing`;
      if (real.weight !== weight)
        return `real server ${address} of ${name} has weight ${real.weight} instead of ${weight}`;
      if (real.masquerading !== masquerading) return `real server ${address} of ${name} is sent packets in another way`;
    }
    if (found.realServers.size !== server.realServers.size)
      return `virtual server ${name} has real servers of somebody else`;
  }
  return undefined;
}
