/**
 * Takes everything of ours off the node, known by itself alone: no memory, no configuration.
 *
 * Virtual servers of others stay: ours are those on the addresses of kube-ipvs0 and those that our sets tell of. (kube-proxy's own clean-up
 * removes every virtual server of the node.)
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import { CommandError } from '../../system/command.ts';
import type { IptablesHost } from '../../system/iptables.ts';
import { findIpset } from '../../system/ipset.ts';
import { findIpvsadm } from '../../system/ipvsadm.ts';
import { findNetlinkAddresses } from '../../system/netlinkAddresses.ts';
import { removeAll } from '../iptables/apply.ts';
import { classified, readVariants } from '../iptables/kernel.ts';
import { ipvs } from '../shared/chains.ts';
import { deviceName } from './changes.ts';
import { AddressReader, hasVirtualServers, ServerReader, SetReader } from './kernel.ts';
import type { PresentSet } from './kernelState.ts';
import type { SetId } from './sets.ts';
import { setName } from './sets.ts';
import type { ServerName } from './virtualServer.ts';
import { serverAddress, setMembersOf } from './virtualServer.ts';

export async function cleanUp(family: IPFamily, host: IptablesHost): Promise<readonly string[]> {
  const sets = await readSets(family, host);
  const { own, hasDevice } = await readAddresses(family, host);
  const servers = (await readServers(family, host)).filter((name) => own.has(serverAddress(name)) || isInSets(name, sets));
  return [
    ...(hasDevice ? await removeAddresses(family, host, [...own]) : []),
    ...(await removeRules(family, host)),
    ...(await removeSets(family, host, [...sets.keys()])),
    ...(await removeServers(host, servers)),
  ];
}

const socketSets: readonly SetId[] = ['KUBE-EXTERNAL-IP', 'KUBE-EXTERNAL-IP-LOCAL', 'KUBE-LOAD-BALANCER', 'KUBE-NODE-PORT-SCTP-HASH'];
const portSets: readonly SetId[] = ['KUBE-NODE-PORT-TCP', 'KUBE-NODE-PORT-UDP'];

function isInSets(name: ServerName, sets: ReadonlyMap<SetId, PresentSet>): boolean {
  const { socket, port, protocol } = setMembersOf(name);
  const ofProtocol = portSets.filter((id) => id.endsWith(protocol));
  return socketSets.some((id) => sets.get(id)?.entries.has(socket)) || ofProtocol.some((id) => sets.get(id)?.entries.has(port));
}

/** A kernel without IP sets has none of ours. */
async function readSets(family: IPFamily, host: IptablesHost): Promise<Map<SetId, PresentSet>> {
  const ipset = await findIpset(host);
  const reader = new SetReader(family);
  await whereKernelHasThem(async () => ipset?.save((line) => reader.read(line)));
  return reader.sets;
}

async function readServers(family: IPFamily, host: IptablesHost): Promise<readonly ServerName[]> {
  const ipvsadm = await findIpvsadm(host);
  if (ipvsadm === undefined || !(await hasVirtualServers(host))) return [];
  const reader = new ServerReader(family);
  await classified('ipvsadm', () => ipvsadm.list((line) => reader.read(line)));
  return [...reader.servers.keys()];
}

async function readAddresses(family: IPFamily, host: IptablesHost): Promise<AddressReader> {
  const ip = await findNetlinkAddresses(host);
  const reader = new AddressReader(family);
  await classified('ip', async () => ip?.show((line) => reader.read(line)));
  return reader;
}

async function whereKernelHasThem(read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'Failed')) throw error;
  }
}

/** The device is both families': the last one takes it away. */
async function removeAddresses(family: IPFamily, host: IptablesHost, own: readonly string[]): Promise<readonly string[]> {
  const ip = await findNetlinkAddresses(host);
  const length = family === 'ipv4' ? 32 : 128;
  await classified('ip', async () => ip?.batch(own.map((address) => `address del ${address}/${length} dev ${deviceName}\n`)));
  const removed = own.map((address) => `address ${address} of ${deviceName}`);
  if ((await readAddresses(family === 'ipv4' ? 'ipv6' : 'ipv4', host)).own.size > 0) return removed;
  await classified('ip', async () => ip?.batch([`link del ${deviceName}\n`]));
  return [...removed, `device ${deviceName}`];
}

/** Chains of the same names are iptables mode's where the one is missing that only ipvs mode has. */
async function removeRules(family: IPFamily, host: IptablesHost): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables, view } of await readVariants(family, host)) {
    if (view.chains.has(`filter ${ipvs.filter}`)) removed.push(...(await removeAll(iptables)));
  }
  return removed;
}

async function removeSets(family: IPFamily, host: IptablesHost, ids: readonly SetId[]): Promise<readonly string[]> {
  const names = ids.map((id) => setName(id, family));
  const ipset = names.length === 0 ? undefined : await findIpset(host);
  await classified('ipset', async () => ipset?.restore(names.map((name) => `destroy ${name}\n`)));
  return names.map((name) => `set ${name}`);
}

async function removeServers(host: IptablesHost, names: readonly ServerName[]): Promise<readonly string[]> {
  const ipvsadm = names.length === 0 ? undefined : await findIpvsadm(host);
  await classified('ipvsadm', async () => ipvsadm?.restore(names.map((name) => `-D ${name}\n`)));
  return names.map((name) => `virtual server ${name}`);
}
