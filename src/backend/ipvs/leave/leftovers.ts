/**
 * What this mode left on the node, known by itself alone, without memory or configuration.
 *
 * Virtual servers of others are left out: ours are those on the addresses of kube-ipvs0 and those that are in our
 * sets. (kube-proxy's own clean-up removes every virtual server of the node.)
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import { CommandError } from '../../../system/command.ts';
import type { IptablesHost } from '../../../netfilter/xtables/iptables.ts';
import { findIpset } from '../../../netfilter/ipset/ipset.ts';
import { findIpvsadm } from '../../../netfilter/ipvs/ipvsadm.ts';
import { findNetlinkAddresses } from '../../../system/netlinkAddresses.ts';
import { runTool } from '../../../netfilter/errors.ts';
import { AddressReader, hasVirtualServers, ServerReader, SetReader } from '../apply/kernel.ts';
import type { KernelState, ExistingSet } from '../plan/kernelState.ts';
import type { SetId } from '../plan/sets.ts';
import type { ServerName } from '../plan/virtualServer.ts';
import { serverAddress, setMembersOf } from '../plan/virtualServer.ts';

/** Throws a SyncError. */
export async function readLeftovers(family: IPFamily, host: IptablesHost): Promise<KernelState> {
  const { sets, hasSpare } = await readSets(family, host);
  const { own, others, hasDevice } = await readAddresses(family, host);
  const { servers } = await readServers(family, host);
  const isOurs = (name: ServerName): boolean => own.has(serverAddress(name)) || isInSets(name, sets);
  return {
    hasDevice,
    addresses: own,
    localAddresses: others,
    servers: new Map([...servers].filter(([name]) => isOurs(name))),
    sets,
    hasSpareSet: hasSpare,
  };
}

const socketSets: readonly SetId[] = [
  'KUBE-EXTERNAL-IP',
  'KUBE-EXTERNAL-IP-LOCAL',
  'KUBE-LOAD-BALANCER',
  'KUBE-NODE-PORT-SCTP-HASH',
];
const portSets: readonly SetId[] = ['KUBE-NODE-PORT-TCP', 'KUBE-NODE-PORT-UDP'];

function isInSets(name: ServerName, sets: ReadonlyMap<SetId, ExistingSet>): boolean {
  const { socket, port, protocol } = setMembersOf(name);
  const ofProtocol = portSets.filter((id) => id.endsWith(protocol));
  return (
    socketSets.some((id) => sets.get(id)?.entries.has(socket)) ||
    ofProtocol.some((id) => sets.get(id)?.entries.has(port))
  );
}

/** A kernel without IP sets has none of ours. */
async function readSets(family: IPFamily, host: IptablesHost): Promise<SetReader> {
  const ipset = await findIpset(host);
  const reader = new SetReader(family);
  try {
    await ipset?.save((line) => reader.read(line));
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'Failed')) throw error;
  }
  return reader;
}

async function readServers(family: IPFamily, host: IptablesHost): Promise<ServerReader> {
  const reader = new ServerReader(family);
  const ipvsadm = await findIpvsadm(host);
  if (ipvsadm === undefined || !(await hasVirtualServers(host))) return reader;
  await runTool('ipvsadm', () => ipvsadm.list((line) => reader.read(line)));
  return reader;
}

/** On kube-ipvs0 and on all other devices; none where `ip` is not installed. Throws a SyncError. */
export async function readAddresses(family: IPFamily, host: IptablesHost): Promise<AddressReader> {
  const ip = await findNetlinkAddresses(host);
  const reader = new AddressReader(family);
  await runTool('ip', async () => ip?.show((line) => reader.read(line)));
  return reader;
}
