/**
 * What this mode left on the node, known by itself alone, without memory or configuration.
 *
 * Virtual servers of others are left out: ours are those on the addresses of kube-ipvs0 and those that are in our
 * sets. (kube-proxy's own clean-up removes every virtual server of the node.)
 */
import { findIpset } from '../../../netfilter/ipset/tools/ipset.ts';
import { findIpvsadm } from '../../../netfilter/ipvs/tools/ipvsadm.ts';
import { findNetlinkAddresses } from '../../../system/netlinkAddresses.ts';
import { isToolFailure, runTool } from '../../../netfilter/errors.ts';
import { AddressReader } from '../apply/addressReader.ts';
import { hasVirtualServers } from '../apply/kernel.ts';
import { ServerReader } from '../../../netfilter/ipvs/serverReader.ts';
import { SetReader } from '../../../netfilter/ipset/setReader.ts';
import type { XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import type { KernelState } from '../plan/kernelState.ts';
import type { ExistingSet } from '../../../netfilter/ipset/setReader.ts';
import { type FormerSetId, formerSetIdsByName, type SetId, setIdsByName, spareSetName } from '../plan/sets.ts';
import type { ServerName } from '../../../netfilter/ipvs/virtualServer.ts';
import { serverAddress, setMembersOf } from '../../../netfilter/ipvs/virtualServer.ts';

/** One IP family, and where the tools are. */
export type OnNode = Pick<XtablesNode, 'family' | 'host'>;

/** Throws a SyncError. */
export async function readLeftovers({ family, host }: OnNode): Promise<KernelState> {
  const { sets, formerSets, hasSpareSet } = await readSets({ family, host });
  const { own, others, hasDevice } = await readAddresses({ family, host });
  const { servers } = await readServers({ family, host });
  const isOurs = (name: ServerName): boolean => own.has(serverAddress(name)) || isInSets(name, sets, formerSets);
  return {
    hasDevice,
    addresses: own,
    localAddresses: others,
    servers: new Map([...servers].filter(([name]) => isOurs(name))),
    sets,
    formerSets,
    hasSpareSet,
  };
}

const formerSocketSets: readonly FormerSetId[] = ['KUBE-EXTERNAL-IP', 'KUBE-EXTERNAL-IP-LOCAL', 'KUBE-LOAD-BALANCER'];
const portSets: readonly SetId[] = ['KUBE-NODE-PORT-TCP', 'KUBE-NODE-PORT-UDP'];

function isInSets(
  name: ServerName,
  sets: ReadonlyMap<SetId, ExistingSet>,
  formerSets: ReadonlyMap<FormerSetId, ExistingSet>,
): boolean {
  const { socket, port, protocol } = setMembersOf(name);
  const ofProtocol = portSets.filter((id) => id.endsWith(protocol));
  return (
    sets.get('KUBE-NODE-PORT-SCTP-HASH')?.entries.has(socket) === true ||
    formerSocketSets.some((id) => formerSets.get(id)?.entries.has(socket)) ||
    ofProtocol.some((id) => sets.get(id)?.entries.has(port))
  );
}

/** A kernel without IP sets has none of ours. */
async function readSets({ family, host }: OnNode): Promise<Pick<KernelState, 'sets' | 'formerSets' | 'hasSpareSet'>> {
  const ipset = await findIpset(host);
  const sets = new SetReader(setIdsByName(family));
  const formerSets = new SetReader(formerSetIdsByName(family));
  try {
    await runTool('ipset', async () =>
      ipset?.save((line) => [sets, formerSets].forEach((reader) => reader.read(line))),
    );
  } catch (error) {
    if (!isToolFailure(error)) throw error;
  }
  return { sets: sets.sets, formerSets: formerSets.sets, hasSpareSet: sets.names.has(spareSetName(family)) };
}

async function readServers({ family, host }: OnNode): Promise<ServerReader> {
  const reader = new ServerReader(family);
  const ipvsadm = await findIpvsadm(host);
  if (ipvsadm === undefined || !(await hasVirtualServers(host))) return reader;
  await runTool('ipvsadm', () => ipvsadm.list((line) => reader.read(line)));
  return reader;
}

/** On kube-ipvs0 and on all other devices; none where `ip` is not installed. Throws a SyncError. */
export async function readAddresses({ family, host }: OnNode): Promise<AddressReader> {
  const ip = await findNetlinkAddresses(host);
  const reader = new AddressReader(family);
  await runTool('ip', async () => ip?.show((line) => reader.read(line)));
  return reader;
}
