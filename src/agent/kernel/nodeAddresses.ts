/**
 * Asks the kernel for the node's own addresses. The rules about them are the model's (`model/nodeAddresses.ts`).
 */
import { networkInterfaces } from 'node:os';
import type { NodeRecord } from '../../model/node.ts';
import { type NodeAddresses, nodeAddressesOf } from '../../model/nodeAddresses.ts';

/** The node's addresses now; what changes later is not in them. */
export type ReadNodeAddresses = (node: NodeRecord) => NodeAddresses;

/**
 * Reads the addresses of the devices that are up and running. So one of a device that is down, or has lost its link, is
 * known only where Node.status has it: nothing reaches it from outside, although the kernel still holds it for the
 * node's own. Where the kernel cannot be asked, Node.status alone counts. Never throws.
 */
export const readNodeAddresses: ReadNodeAddresses = (node) => nodeAddressesOf(deviceAddresses(), node);

function deviceAddresses(): { readonly device: string; readonly address: string }[] {
  try {
    return Object.entries(networkInterfaces()).flatMap(([device, entries = []]) =>
      entries.map(({ address }) => ({ device, address })),
    );
  } catch {
    return [];
  }
}
