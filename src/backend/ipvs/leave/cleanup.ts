/**
 * Takes everything of ours off the node.
 */
import type { ToolHost } from '../../../system/command.ts';
import { findIpset } from '../../../netfilter/ipset/tools/ipset.ts';
import { findIpvsadm } from '../../../netfilter/ipvs/tools/ipvsadm.ts';
import { findNetlinkAddresses } from '../../../system/netlinkAddresses.ts';
import { runTool } from '../../../netfilter/errors.ts';
import { readVariants, type XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import { removeAll } from '../../../netfilter/xtables/tools/removeAll.ts';
import { isServing } from '../plan/owned.ts';
import { removeBridge } from './bridge.ts';
import { deviceName } from '../plan/changeSet.ts';
import type { KernelState } from '../plan/kernelState.ts';
import { type OnNode, readAddresses, readLeftovers } from './leftovers.ts';
import { setName, spareSetName } from '../plan/sets.ts';
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { RemovalRequest } from '../../backend.ts';
import type { ServerName } from '../../../netfilter/ipvs/virtualServer.ts';

/** Returns the names of what was removed, or in a dry run would be. Throws a SyncError. */
export async function cleanUp(node: XtablesNode, request: RemovalRequest = {}): Promise<readonly string[]> {
  const leftovers = await readLeftovers(node);
  return request.isDryRun === true ? namesOf(leftovers, node) : removeLeftovers(leftovers, node, request);
}

/**
 * Takes away what `readLeftovers` found, addresses first. Returns the names of what was removed; throws a SyncError.
 */
export async function removeLeftovers(
  leftovers: KernelState,
  node: XtablesNode,
  request: RemovalRequest,
): Promise<readonly string[]> {
  const { addresses, hasDevice, servers } = leftovers;
  const { family, host } = node;
  return [
    ...(hasDevice ? await removeAddresses(node, [...addresses]) : []),
    ...(await removeRules(node, request)),
    ...(await removeSets(host, setNamesOf(leftovers, family))),
    ...(await removeServers(host, [...servers.keys()])),
  ];
}

/**
 * The names of the objects that `readLeftovers` found, as `removeLeftovers` returns them; without the rules about them,
 * and the device, which is both families'.
 */
export function namesOf(leftovers: KernelState, { family }: Pick<XtablesNode, 'family'>): readonly string[] {
  return [
    ...[...leftovers.addresses].map(nameOfAddress),
    ...setNamesOf(leftovers, family).map(nameOfSet),
    ...[...leftovers.servers.keys()].map(nameOfServer),
  ];
}

function setNamesOf({ sets, formerSets, hasSpareSet }: KernelState, family: IPFamily): readonly string[] {
  const ids = [...sets.keys(), ...formerSets.keys()];
  return [...ids.map((id) => setName(id, family)), ...(hasSpareSet ? [spareSetName(family)] : [])];
}

const nameOfAddress = (address: string): string => `address ${address} of ${deviceName}`;
const nameOfSet = (name: string): string => `set ${name}`;
const nameOfServer = (name: ServerName): string => `virtual server ${name}`;

/** The device is both families': the last one takes it away. */
async function removeAddresses({ family, host }: OnNode, own: readonly string[]): Promise<readonly string[]> {
  const ip = await findNetlinkAddresses(host);
  const length = family === 'ipv4' ? 32 : 128;
  await runTool('ip', async () =>
    ip?.batch(own.map((address) => `address del ${address}/${length} dev ${deviceName}\n`)),
  );
  const removed = own.map(nameOfAddress);
  if ((await readAddresses({ family: family === 'ipv4' ? 'ipv6' : 'ipv4', host })).own.size > 0) return removed;
  await runTool('ip', async () => ip?.batch([`link del ${deviceName}\n`]));
  return [...removed, `device ${deviceName}`];
}

/** Chains of the same names are iptables mode's where that one serves. */
async function removeRules(node: XtablesNode, { keepsShared = false }: RemovalRequest): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(node)) {
    removed.push(
      ...(isServing(view)
        ? await removeAll(iptables, node.ownership, { keepsShared })
        : await removeBridge(iptables, view)),
    );
  }
  return removed;
}

async function removeSets(host: ToolHost, names: readonly string[]): Promise<readonly string[]> {
  const ipset = names.length === 0 ? undefined : await findIpset(host);
  await runTool('ipset', async () => ipset?.restore(names.map((name) => `destroy ${name}\n`)));
  return names.map(nameOfSet);
}

async function removeServers(host: ToolHost, names: readonly ServerName[]): Promise<readonly string[]> {
  const ipvsadm = names.length === 0 ? undefined : await findIpvsadm(host);
  await runTool('ipvsadm', async () => ipvsadm?.restore(names.map((name) => `-D ${name}\n`)));
  return names.map(nameOfServer);
}
