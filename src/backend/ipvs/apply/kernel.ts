/**
 * The kernel's side: its virtual servers, sets and addresses, read from ipvsadm, ipset and ip. Errors of the tools
 * become SyncErrors here.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import { canonicalAddress, familyOf } from '../../../model/ipFamily.ts';
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { Ipset } from '../../../netfilter/ipset/ipset.ts';
import { findIpset } from '../../../netfilter/ipset/ipset.ts';
import type { IptablesHost } from '../../../netfilter/xtables/iptables.ts';
import type { Ipvsadm } from '../../../netfilter/ipvs/ipvsadm.ts';
import { findIpvsadm } from '../../../netfilter/ipvs/ipvsadm.ts';
import type { NetlinkAddresses } from '../../../system/netlinkAddresses.ts';
import { findNetlinkAddresses } from '../../../system/netlinkAddresses.ts';
import { CommandError } from '../../../system/command.ts';
import { sysctls } from '../../../system/sysctl.ts';
import { SyncError, runTool, toolMissing } from '../../../netfilter/errors.ts';
import { deviceName } from '../plan/changeSet.ts';
import type { KernelState, ExistingServer, ExistingSet } from '../plan/kernelState.ts';
import type { SetId } from '../plan/sets.ts';
import { firstMaxElements, setIds, setName, spareSetName } from '../plan/sets.ts';
import { neededSysctls, release, sysctlNames } from '../plan/sysctls.ts';
import type { ServerName } from '../plan/virtualServer.ts';
import { listedServerName, serverAddress } from '../plan/virtualServer.ts';

export interface Tools {
  readonly ipvsadm: Ipvsadm;
  readonly ipset: Ipset;
  readonly ip: NetlinkAddresses;
}

/** Throws a SyncError that names the package of a tool that is not here. */
export async function findTools(host: IptablesHost): Promise<Tools> {
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
export async function ensureSysctls(config: NodeConfig, family: IPFamily, host: IptablesHost): Promise<void> {
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
export async function hasVirtualServers(host: IptablesHost): Promise<boolean> {
  return (await runTool('cat', () => sysctls(host).read(['net/ipv4/vs/conntrack']))) !== undefined;
}

/** Number of commands that `readKernel` runs. */
export const commandsPerReading = 3;

/** What the kernel holds of the family. Throws a SyncError. */
export async function readKernel(tools: Tools, family: IPFamily, signal?: AbortSignal): Promise<KernelState> {
  const servers = new ServerReader(family);
  const sets = new SetReader(family);
  const addresses = new AddressReader(family);
  await runTool('ipvsadm', () => tools.ipvsadm.list((line) => servers.read(line), signal));
  await runTool('ipset', () => tools.ipset.save((line) => sets.read(line), signal));
  await runTool('ip', () => tools.ip.show((line) => addresses.read(line), signal));
  return {
    hasDevice: addresses.hasDevice,
    addresses: addresses.own,
    localAddresses: [...new Set(addresses.others)].sort(),
    servers: servers.servers,
    sets: sets.sets,
    hasSpareSet: sets.hasSpare,
  };
}

/** Of `ipvsadm -Ln`: a virtual server's line, then one for each of its real servers. */
export class ServerReader {
  readonly servers = new Map<ServerName, ExistingServer>();
  readonly #family: IPFamily;
  #current: ExistingServer | undefined;

  constructor(family: IPFamily) {
    this.#family = family;
  }

  read(line: string): void {
    const [first = '', second = '', ...rest] = line.trim().split(/\s+/);
    if (first === '->') this.#readRealServer(second, rest);
    else this.#current = this.#readServer(listedServerName(first, second), rest);
  }

  #readServer(name: ServerName | undefined, [scheduler = '', ...flags]: readonly string[]): ExistingServer | undefined {
    if (name === undefined || familyOf(serverAddress(name)) !== this.#family) return undefined;
    const persistent = flags.indexOf('persistent');
    const server = {
      scheduler,
      persistenceSeconds: persistent === -1 ? undefined : Number(flags[persistent + 1]),
      realServers: new Map(),
    };
    this.servers.set(name, server);
    return server;
  }

  #readRealServer(address: string, [forwarding, weight, active, inactive]: readonly string[]): void {
    this.#current?.realServers.set(address, {
      weight: Number(weight),
      connections: Number(active) + Number(inactive),
      masquerading: forwarding === 'Masq',
    });
  }
}

/** Of `ipset save`: `create NAME TYPE OPTIONS` and `add NAME ENTRY`. */
export class SetReader {
  readonly sets = new Map<SetId, ExistingSet>();
  hasSpare = false;
  readonly #ids: ReadonlyMap<string, SetId>;
  readonly #spare: string;

  constructor(family: IPFamily) {
    this.#ids = new Map(setIds.map((id) => [setName(id, family), id]));
    this.#spare = spareSetName(family);
  }

  read(line: string): void {
    const [action, name = '', value = ''] = line.split(' ', 3);
    const id = this.#ids.get(name);
    if (name === this.#spare) this.hasSpare = true;
    if (id === undefined) return;
    if (action === 'create')
      this.sets.set(id, {
        maxElements: Number(/ maxelem (\d+)/.exec(line)?.[1] ?? firstMaxElements),
        entries: new Set(),
      });
    else this.sets.get(id)?.entries.add(value);
  }
}

/** Of `ip addr show`: a device's line, then one for each of its addresses. */
export class AddressReader {
  readonly own = new Set<string>();
  readonly others: string[] = [];
  hasDevice = false;
  readonly #family: IPFamily;
  #device = '';

  constructor(family: IPFamily) {
    this.#family = family;
  }

  read(line: string): void {
    this.#device = /^\d+: ([^:@]+)/.exec(line)?.[1] ?? this.#device;
    this.hasDevice ||= this.#device === deviceName;
    const [, text = '', scope] = /^\s+inet6? ([0-9a-f.:]+).* scope (\S+)/.exec(line) ?? [];
    const address = canonicalAddress(text);
    if (address === undefined || familyOf(address) !== this.#family || isOnlyHere(address, scope)) return;
    if (this.#device === deviceName) this.own.add(address);
    else this.others.push(address);
  }
}

function isOnlyHere(address: string, scope: string | undefined): boolean {
  return scope === 'host' || (scope === 'link' && familyOf(address) === 'ipv6');
}
