/**
 * Takes everything of ours off the node.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { IptablesHost } from '../../../netfilter/xtables/iptables.ts';
import { findIpset } from '../../../netfilter/ipset/ipset.ts';
import { findIpvsadm } from '../../../netfilter/ipvs/ipvsadm.ts';
import { findNetlinkAddresses } from '../../../system/netlinkAddresses.ts';
import { runTool } from '../../../netfilter/errors.ts';
import { readVariants } from '../../../netfilter/xtables/variant.ts';
import { removeAll, servesIpvs } from '../../iptables/leave/removal.ts';
import { removeBridge } from './bridge.ts';
import { deviceName } from '../plan/changeSet.ts';
import type { KernelState } from '../plan/kernelState.ts';
import { readAddresses, readLeftovers } from './leftovers.ts';
import { setName, spareSetName } from '../plan/sets.ts';
import type { ServerName } from '../plan/virtualServer.ts';

/** Returns the names of what was removed. Throws a SyncError. */
export async function cleanUp(family: IPFamily, host: IptablesHost): Promise<readonly string[]> {
  return removeLeftovers(await readLeftovers(family, host), family, host);
}

/**
 * Takes away what `readLeftovers` found, addresses first. Returns the names of what was removed; throws a SyncError.
 */
export async function removeLeftovers(
  { addresses, hasDevice, sets, hasSpareSet, servers }: KernelState,
  family: IPFamily,
  host: IptablesHost,
): Promise<readonly string[]> {
  const setNames = [
    ...[...sets.keys()].map((id) => setName(id, family)),
    ...(hasSpareSet ? [spareSetName(family)] : []),
  ];
  return [
    ...(hasDevice ? await removeAddresses(family, host, [...addresses]) : []),
    ...(await removeRules(family, host)),
    ...(await removeSets(host, setNames)),
    ...(await removeServers(host, [...servers.keys()])),
  ];
}

/** The device is both families': the last one takes it away. */
async function removeAddresses(
  family: IPFamily,
  host: IptablesHost,
  own: readonly string[],
): Promise<readonly string[]> {
  const ip = await findNetlinkAddresses(host);
  const length = family === 'ipv4' ? 32 : 128;
  await runTool('ip', async () =>
    ip?.batch(own.map((address) => `address del ${address}/${length} dev ${deviceName}\n`)),
  );
  const removed = own.map((address) => `address ${address} of ${deviceName}`);
  if ((await readAddresses(family === 'ipv4' ? 'ipv6' : 'ipv4', host)).own.size > 0) return removed;
  await runTool('ip', async () => ip?.batch([`link del ${deviceName}\n`]));
  return [...removed, `device ${deviceName}`];
}

/** Chains of the same names are iptables mode's where that one serves. */
async function removeRules(family: IPFamily, host: IptablesHost): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(family, host)) {
    removed.push(...(servesIpvs(view) ? await removeAll(iptables) : await removeBridge(iptables, view)));
  }
  return removed;
}

async function removeSets(host: IptablesHost, names: readonly string[]): Promise<readonly string[]> {
  const ipset = names.length === 0 ? undefined : await findIpset(host);
  await runTool('ipset', async () => ipset?.restore(names.map((name) => `destroy ${name}\n`)));
  return names.map((name) => `set ${name}`);
}

async function removeServers(host: IptablesHost, names: readonly ServerName[]): Promise<readonly string[]> {
  const ipvsadm = names.length === 0 ? undefined : await findIpvsadm(host);
  await runTool('ipvsadm', async () => ipvsadm?.restore(names.map((name) => `-D ${name}\n`)));
  return names.map((name) => `virtual server ${name}`);
}
