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
import type { ServerName } from '../../../netfilter/ipvs/virtualServer.ts';

/** Returns the names of what was removed. Throws a SyncError. */
export async function cleanUp(node: XtablesNode): Promise<readonly string[]> {
  return removeLeftovers(await readLeftovers(node), node);
}

/**
 * Takes away what `readLeftovers` found, addresses first. Returns the names of what was removed; throws a SyncError.
 */
export async function removeLeftovers(
  { addresses, hasDevice, sets, formerSets, hasSpareSet, servers }: KernelState,
  node: XtablesNode,
): Promise<readonly string[]> {
  const { family, host } = node;
  const setNames = [
    ...[...sets.keys(), ...formerSets.keys()].map((id) => setName(id, family)),
    ...(hasSpareSet ? [spareSetName(family)] : []),
  ];
  return [
    ...(hasDevice ? await removeAddresses(node, [...addresses]) : []),
    ...(await removeRules(node)),
    ...(await removeSets(host, setNames)),
    ...(await removeServers(host, [...servers.keys()])),
  ];
}

/** The device is both families': the last one takes it away. */
async function removeAddresses({ family, host }: OnNode, own: readonly string[]): Promise<readonly string[]> {
  const ip = await findNetlinkAddresses(host);
  const length = family === 'ipv4' ? 32 : 128;
  await runTool('ip', async () =>
    ip?.batch(own.map((address) => `address del ${address}/${length} dev ${deviceName}\n`)),
  );
  const removed = own.map((address) => `address ${address} of ${deviceName}`);
  if ((await readAddresses({ family: family === 'ipv4' ? 'ipv6' : 'ipv4', host })).own.size > 0) return removed;
  await runTool('ip', async () => ip?.batch([`link del ${deviceName}\n`]));
  return [...removed, `device ${deviceName}`];
}

/** Chains of the same names are iptables mode's where that one serves. */
async function removeRules(node: XtablesNode): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(node)) {
    removed.push(...(isServing(view) ? await removeAll(iptables, node.ownership) : await removeBridge(iptables, view)));
  }
  return removed;
}

async function removeSets(host: ToolHost, names: readonly string[]): Promise<readonly string[]> {
  const ipset = names.length === 0 ? undefined : await findIpset(host);
  await runTool('ipset', async () => ipset?.restore(names.map((name) => `destroy ${name}\n`)));
  return names.map((name) => `set ${name}`);
}

async function removeServers(host: ToolHost, names: readonly ServerName[]): Promise<readonly string[]> {
  const ipvsadm = names.length === 0 ? undefined : await findIpvsadm(host);
  await runTool('ipvsadm', async () => ipvsadm?.restore(names.map((name) => `-D ${name}\n`)));
  return names.map((name) => `virtual server ${name}`);
}
