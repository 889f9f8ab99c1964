/**
 * What the Services want, what the kernel holds, and the difference between the two, for the objects that a change
 * touched.
 *
 * The kernel's part describes the kernel only after the changes that it led to were made; after a failure the ledger is
 * thrown away. A TCP real server that nobody wants any more gets weight 0 and stays until its connections have ended,
 * and with it its virtual server and the address, in the name of a claimant that comes after all Services.
 */
import { hash } from 'node:crypto';
import type { ServiceKey } from '../../model/service.ts';
import { cidrContains } from '../../model/ipFamily.ts';
import type { ChangeSet } from './changeSet.ts';
import { emptyChangeSet } from './changeSet.ts';
import { Owners } from './owners.ts';
import type { ServicePortObjects } from './servicePortObjects.ts';
import type { KernelState, PresentServer } from './kernelState.ts';
import { hasSettings } from './kernelState.ts';
import { DesiredSets } from './desiredSets.ts';
import type { ServerName, VirtualServer } from './virtualServer.ts';
import { endsConnections, serverAddress } from './virtualServer.ts';

interface Recorded {
  readonly servicePorts: readonly ServicePortObjects[];
  readonly digest: bigint;
}

/** Sorts behind every Service's name. */
const draining = '~draining';

export class DesiredState {
  readonly #kernel: KernelState;
  readonly #excluded: readonly string[];
  readonly #services = new Map<ServiceKey, Recorded>();
  readonly #servers = new Owners<VirtualServer>();
  readonly #addresses = new Owners<true>();
  readonly #sets: DesiredSets;
  readonly #drainingServers = new Set<ServerName>();
  #dirtyServers = new Set<ServerName>();
  #dirtyAddresses = new Set<string>();
  #digest = 0n;
  #endpoints = 0;

  /** `excludeCIDRs`: virtual servers in these networks that no Service wants are somebody else's. */
  constructor(kernel: KernelState, excludeCIDRs: readonly string[] = []) {
    this.#kernel = kernel;
    this.#excluded = excludeCIDRs;
    this.#sets = new DesiredSets(kernel.sets);
    for (const name of kernel.servers.keys()) this.#dirtyServers.add(name);
    for (const address of kernel.addresses) this.#dirtyAddresses.add(address);
  }

  /** The kernel as it is when all changes so far were made. */
  get kernel(): KernelState {
    return this.#kernel;
  }

  get services(): number {
    return this.#services.size;
  }

  get endpoints(): number {
    return this.#endpoints;
  }

  /** Sum of the fragments' hashes, 64 bits. */
  get digest(): bigint {
    return this.#digest;
  }

  get isDraining(): boolean {
    return this.#drainingServers.size > 0;
  }

  /** What a Service wants now, in place of what it wanted before. */
  record(key: ServiceKey, servicePorts: readonly ServicePortObjects[]): void {
    const before = this.#services.get(key);
    const digest = digestOf(servicePorts);
    if (before?.digest === digest) return;
    for (const servicePort of before?.servicePorts ?? []) this.#setOwners(servicePort, false);
    for (const servicePort of servicePorts) this.#setOwners(servicePort, true);
    this.#digest = BigInt.asUintN(64, this.#digest + digest - (before?.digest ?? 0n));
    this.#endpoints += countEndpoints(servicePorts) - countEndpoints(before?.servicePorts ?? []);
    if (servicePorts.length === 0) this.#services.delete(key);
    else this.#services.set(key, { servicePorts, digest });
  }

  #setOwners({ id, virtualServers, addresses, entries }: ServicePortObjects, isDesired: boolean): void {
    for (const server of virtualServers) this.#setServerOwner(server, id, isDesired);
    for (const address of addresses) this.#setAddressOwner(address, id, isDesired);
    for (const entry of entries) this.#sets.setOwner(entry, id, isDesired);
  }

  #setServerOwner(server: VirtualServer, owner: string, isDesired: boolean): void {
    if (isDesired) this.#servers.add(server.name, owner, server);
    else this.#servers.remove(server.name, owner);
    this.#dirtyServers.add(server.name);
  }

  #setAddressOwner(address: string, owner: string, isDesired: boolean): void {
    if (isDesired) this.#addresses.add(address, owner, true);
    else this.#addresses.remove(address, owner);
    this.#dirtyAddresses.add(address);
  }

  /** What makes the kernel as the Services want it, for all that was touched since the last time. */
  reconcile(): ChangeSet {
    const changes = emptyChangeSet();
    for (const name of this.#dirtyServers) this.#reconcileServer(name, changes);
    for (const address of this.#dirtyAddresses) this.#reconcileAddress(address, changes);
    this.#sets.reconcile(changes);
    this.#dirtyServers = new Set();
    this.#dirtyAddresses = new Set();
    return changes;
  }

  /** Takes out what has drained by now; `seen` is the kernel read afresh. */
  finishDraining(seen: KernelState): ChangeSet {
    const ended = [...this.#drainingServers].flatMap((name) => {
      const undesired = [...(this.#kernel.servers.get(name)?.realServers.keys() ?? [])].filter(
        (address) => !this.#isDesired(name, address),
      );
      return undesired
        .filter((address) => (seen.servers.get(name)?.realServers.get(address)?.connections ?? 0) === 0)
        .map((address) => ({ server: name, address }));
    });
    for (const { server, address } of ended) {
      this.#kernel.servers.get(server)?.realServers.delete(address);
      this.#release(server);
    }
    const changes = this.reconcile();
    changes.realServers.removed.push(...ended);
    return changes;
  }

  #isDesired(name: ServerName, address: string): boolean {
    return this.#servers.desired(name)?.realServers.includes(address) === true;
  }

  #reconcileServer(name: ServerName, changes: ChangeSet): void {
    const present = this.#kernel.servers.get(name);
    this.#keepWhileDraining(name, present);
    const desired = this.#servers.desired(name);
    if (desired !== undefined) this.#writeServer(desired, changes);
    else if (present !== undefined) this.#dropServer(name, changes);
  }

  #dropServer(name: ServerName, changes: ChangeSet): void {
    this.#kernel.servers.delete(name);
    this.#drainingServers.delete(name);
    if (!this.#isExcluded(name)) changes.servers.removed.push(name);
  }

  #writeServer(desired: VirtualServer, changes: ChangeSet): void {
    const { name, scheduler, persistenceSeconds } = desired;
    const before = this.#kernel.servers.get(name);
    const after: PresentServer = { scheduler, persistenceSeconds, realServers: before?.realServers ?? new Map() };
    this.#kernel.servers.set(name, after);
    if (before === undefined) changes.servers.added.push(desired);
    else if (!hasSettings(before, desired)) changes.servers.edited.push(desired);
    for (const address of desired.realServers) this.#writeRealServer({ server: name, address }, after, changes);
    const kept = new Set(desired.realServers);
    for (const address of [...after.realServers.keys()].filter((each) => !kept.has(each)))
      this.#drainOrRemove({ server: name, address }, after, changes);
    const drains = after.realServers.size > kept.size;
    if (drains) this.#drainingServers.add(name);
    else this.#drainingServers.delete(name);
  }

  #writeRealServer(
    real: { server: ServerName; address: string },
    { realServers }: PresentServer,
    { realServers: changed }: ChangeSet,
  ): void {
    const present = realServers.get(real.address);
    if (present?.weight === 1 && present.masquerading) return;
    if (present === undefined) changed.added.push(real);
    else changed.revived.push(real);
    realServers.set(real.address, { weight: 1, connections: 0, masquerading: true });
  }

  #drainOrRemove(
    real: { server: ServerName; address: string },
    { realServers }: PresentServer,
    { realServers: changed }: ChangeSet,
  ): void {
    const present = realServers.get(real.address);
    if (!endsConnections(real.server) || present?.masquerading !== true) {
      realServers.delete(real.address);
      changed.removed.push(real);
    } else if (present.weight !== 0) {
      realServers.set(real.address, { ...present, weight: 0 });
      changed.draining.push(real);
    }
  }

  /** Nobody wants the virtual server, but it may still have connections. */
  #keepWhileDraining(name: ServerName, present: PresentServer | undefined): void {
    this.#release(name);
    const canDrain =
      present !== undefined &&
      endsConnections(name) &&
      [...present.realServers.values()].some(({ masquerading }) => masquerading);
    if (!canDrain || this.#servers.isDesired(name) || this.#isExcluded(name)) return;
    const { scheduler, persistenceSeconds } = present;
    this.#servers.add(name, draining, { name, scheduler, persistenceSeconds, realServers: [] });
    const address = serverAddress(name);
    if (this.#kernel.addresses.has(address)) this.#setAddressOwner(address, `${draining} ${name}`, true);
  }

  #release(name: ServerName): void {
    this.#servers.remove(name, draining);
    this.#dirtyServers.add(name);
    this.#setAddressOwner(serverAddress(name), `${draining} ${name}`, false);
  }

  #isExcluded(name: ServerName): boolean {
    return this.#excluded.some((network) => cidrContains(network, serverAddress(name)));
  }

  #reconcileAddress(address: string, changes: ChangeSet): void {
    const { addresses } = this.#kernel;
    const isDesired = this.#addresses.isDesired(address);
    if (isDesired && !addresses.has(address)) changes.addresses.added.push(address);
    if (!isDesired && addresses.has(address)) changes.addresses.removed.push(address);
    if (isDesired) addresses.add(address);
    else addresses.delete(address);
    this.#sets.trackAddress(address, isDesired);
  }
}

function countEndpoints(servicePorts: readonly ServicePortObjects[]): number {
  return servicePorts.reduce((sum, { endpoints }) => sum + endpoints, 0);
}

function digestOf(servicePorts: readonly ServicePortObjects[]): bigint {
  return servicePorts.length === 0
    ? 0n
    : BigInt(`0x${hash('sha256', JSON.stringify(servicePorts), 'hex').slice(0, 16)}`);
}
