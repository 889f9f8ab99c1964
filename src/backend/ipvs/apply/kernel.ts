/**
 * The kernel's side: its virtual servers, sets and addresses, read from ipvsadm, ipset and ip. Errors of the tools
 * become SyncErrors here.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { IPFamily } from '../../../model/ipFamily.ts';
import { runTool, SyncError, toolMissing } from '../../../netfilter/errors.ts';
import { SetReader } from '../../../netfilter/ipset/setReader.ts';
import { findIpset, type Ipset } from '../../../netfilter/ipset/tools/ipset.ts';
import { ServerReader } from '../../../netfilter/ipvs/serverReader.ts';
import { findIpvsadm, type Ipvsadm } from '../../../netfilter/ipvs/tools/ipvsadm.ts';
import { CommandError, type ToolHost } from '../../../system/command.ts';
import { findNetlinkAddresses, type NetlinkAddresses } from '../../../system/netlinkAddresses.ts';
import { sysctls } from '../../../system/sysctl.ts';
import type { KernelState } from '../plan/kernelState.ts';
import { formerSetIdsByName, setIdsByName, spareSetName } from '../plan/sets.ts';
import { neededSysctls, release, sysctlNames } from '../plan/sysctls.ts';
import { AddressReader } from './addressReader.ts';

export interface Tools {
  readonly ipvsadm: Ipvsadm;
  readonly ipset: Ipset;
  readonly ip: NetlinkAddresses;
}

/** Throws a SyncError that names the package of a tool that is not here. */
export async function findTools(host: ToolHost): Promise<Tools> {
  const ipvsadm = installed(await findIpvsadm(host), 'ipvsadm', 'ipvsadm');
  const ipset = installed(await findIpset(host), 'ipset', 'ipset');
  const ip = installed(await findNetlinkAddresses(host), 'ip', 'iproute2');
  return { ipvsadm, ipset, ip };
}

function installed<Tool>(tool: Tool | undefined, name: string, debianPackage: string): Tool {
  if (tool === undefined) throw toolMissing(`${name} is`, debianPackage);
  return tool;
}

/** Sets what is not yet as it must be. Throws a SyncError that names the setting and the remedy. */
export async function ensureSysctls(config: NodeConfig, family: IPFamily, host: ToolHost): Promise<void> {
  const { read, write } = sysctls(host);
  const values = await runTool('cat', () => read([release, ...sysctlNames]));
  for (const { name, value } of neededSysctls(config, family, values?.get(release) ?? '')) {
    if (values?.get(name) === value) continue;
    try {
      await write(name, value);
    } catch (cause) {
      if (!(cause instanceof CommandError)) throw cause;
      throw new SyncError(
        'SysctlNotSet',
        `${name.replaceAll('/', '.')} cannot be set to ${value}; set it on the node, or give the agent the node's /proc/sys/net at /host/proc/sys/net`,
        { cause },
      );
    }
  }
}

/** Whether this kernel has ip_vs loaded; does not load it. Throws a SyncError. */
export async function hasVirtualServers(host: ToolHost): Promise<boolean> {
  return (await runTool('cat', () => sysctls(host).read(['net/ipv4/vs/conntrack']))) !== undefined;
}

/** Number of commands that `readKernel` runs. */
export const commandsPerReading = 3;

/**
 * What the kernel holds of the family. Throws a SyncError.
 *
 * The kernel lists virtual servers of both families from one table, a part at a time, and goes on by number: where the
 * other family's sync deletes some meanwhile, others are left out (ip_vs_genl_dump_services; seen on Linux 6.12).
 */
export async function readKernel(tools: Tools, family: IPFamily, signal?: AbortSignal): Promise<KernelState> {
  const servers = new ServerReader(family);
  const sets = new SetReader(setIdsByName(family));
  const formerSets = new SetReader(formerSetIdsByName(family));
  const readSets = (line: string): void => [sets, formerSets].forEach((reader) => reader.read(line));
  const addresses = new AddressReader(family);
  await runTool('ipvsadm', () => tools.ipvsadm.list((line) => servers.read(line), signal));
  await runTool('ipset', () => tools.ipset.save(readSets, signal));
  await runTool('ip', () => tools.ip.show((line) => addresses.read(line), signal));
  return {
    hasDevice: addresses.hasDevice,
    addresses: addresses.own,
    localAddresses: [...new Set(addresses.others)].sort(),
    servers: servers.servers,
    sets: sets.sets,
    formerSets: formerSets.sets,
    hasSpareSet: sets.names.has(spareSetName(family)),
  };
}
