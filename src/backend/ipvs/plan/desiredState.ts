/**
 * What the Services want of ip_vs, sets and addresses, what the kernel holds, and the difference between the two.
 *
 * The model. A DesiredState begins with a reading of the kernel. `record` takes over what a Service wants now;
 * `reconcile` gives the ChangeSet that makes the kernel so, and takes it as made. So `kernel` describes the kernel only
 * after the changes were made; after a failure the object is thrown away, and the next sync begins with a new reading.
 *
 * What it is to do:
 *
 * 1. A ChangeSet is as large as what changes, however many Services there are.
 * 2. What several Services want stands as long as one of them wants it, in the shape that the first of them (by name)
 *    asks for.
 * 3. Open TCP connections go on when their real server, virtual server or Service is gone.
 * 4. What nobody wants goes, also what was there before this process; but not virtual servers in `excludeCIDRs`.
 * 5. An agent that starts on what another one left makes only the changes that are needed, and goes on with its
 *    draining.
 *
 * How:
 *
 * 1. Whatever a record concerns is marked dirty, and `reconcile` compares what is dirty alone.
 * 2. `Owners` has all who want an object. An owner is a Service port, or `~draining`, which sorts behind all of them.
 * 3. A TCP real server that nobody wants gets weight 0, which takes no new connection, and stays with its virtual
 *    server and address in the name of the owner `~draining`. `finishDraining`, called with a new reading, takes out
 *    those whose connections have ended. UDP and SCTP, whose connections have no end that the kernel sees, go at once,
 *    and so does what does not masquerade.
 * 4. All that the first reading found is dirty from the beginning.
 * 5. It follows from 3 and 4: a real server with weight 0 that is wanted again gets weight 1, any other goes on
 *    draining.
 *
 * Order: a ChangeSet is data without an order. In which order its parts may be made is in `formatChangeSet`.
 *
 * Concurrency: owned by one backend, called by one sync or check at a time. It runs no tool.
 */
import { hash } from 'node:crypto';
import type { ServiceKey } from '../../../model/service.ts';
import { cidrContains } from '../../../model/ipFamily.ts';
import type { ChangeSet } from './changeSet.ts';
import { emptyChangeSet } from './changeSet.ts';
import { Owners } from './owners.ts';
import type { ServicePortObjects } from './servicePortObjects.ts';
import type { KernelState } from './kernelState.ts';
import type { ExistingServer } from '../../../netfilter/ipvs/serverReader.ts';
import { hasSettings } from '../../../netfilter/ipvs/serverReader.ts';
import { DesiredSets } from './desiredSets.ts';
import type { ServerName, VirtualServer } from '../../../netfilter/ipvs/virtualServer.ts';
import { endsConnections, serverAddress } from '../../../netfilter/ipvs/virtualServer.ts';

/** What a Service wants, as it was recorded last. */
interface Recorded {
  readonly servicePorts: readonly ServicePortObjects[];
  readonly digest: bigint;
}

/** An owner that sorts behind every Service port. */
const draining = '~draining';

/** Of one IP family. */
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

  /**
   * `kernel`: a reading, which belongs to this object from now on and is changed by it. `excludeCIDRs`: virtual servers
   * in these networks that no Service wants are somebody else's.
   */
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

  /** Number of Services that want anything. */
  get services(): number {
    return this.#services.size;
  }

  /** Number of endpoints, counted for each Service port. */
  get endpoints(): number {
    return this.#endpoints;
  }

  /** Sum of the hashes of what each Service wants, 64 bits: equal for equal Services in any order. */
  get digest(): bigint {
    return this.#digest;
  }

  /** Whether `finishDraining` has something to wait for. */
  get isDraining(): boolean {
    return this.#drainingServers.size > 0;
  }

  /** Takes what a Service wants now, port by port, in place of what it wanted before; none when it is gone. */
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

  /** What makes the kernel as the Services want it, for all that is dirty; afterwards nothing is. */
  reconcile(): ChangeSet {
    const changes = emptyChangeSet();
    for (const name of this.#dirtyServers) this.#reconcileServer(name, changes);
    for (const address of this.#dirtyAddresses) this.#reconcileAddress(address, changes);
    this.#sets.reconcile(changes);
    this.#dirtyServers = new Set();
    this.#dirtyAddresses = new Set();
    return changes;
  }

  /** Takes out the real servers that have no connection left in `seen`, a new reading of the kernel. */
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
    const existing = this.#kernel.servers.get(name);
    this.#keepWhileDraining(name, existing);
    const desired = this.#servers.desired(name);
    if (desired !== undefined) this.#writeServer(desired, changes);
    else if (existing !== undefined) this.#dropServer(name, changes);
  }

  #dropServer(name: ServerName, changes: ChangeSet): void {
    this.#kernel.servers.delete(name);
    this.#drainingServers.delete(name);
    if (!this.#isExcluded(name)) changes.servers.removed.push(name);
  }

  #writeServer(desired: VirtualServer, changes: ChangeSet): void {
    const { name, scheduler, persistenceSeconds } = desired;
    const before = this.#kernel.servers.get(name);
    const after: ExistingServer = { scheduler, persistenceSeconds, realServers: before?.realServers ?? new Map() };
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
    { realServers }: ExistingServer,
    { realServers: changed }: ChangeSet,
  ): void {
    const existing = realServers.get(real.address);
    if (existing?.weight === 1 && existing.masquerading) return;
    if (existing === undefined) changed.added.push(real);
    else changed.revived.push(real);
    realServers.set(real.address, { weight: 1, connections: 0, masquerading: true });
  }

  #drainOrRemove(
    real: { server: ServerName; address: string },
    { realServers }: ExistingServer,
    { realServers: changed }: ChangeSet,
  ): void {
    const existing = realServers.get(real.address);
    if (!endsConnections(real.server) || existing?.masquerading !== true) {
      realServers.delete(real.address);
      changed.removed.push(real);
    } else if (existing.weight !== 0) {
      realServers.set(real.address, { ...existing, weight: 0 });
      changed.draining.push(real);
    }
  }

  /** Nobody wants the virtual server, but it may still have connections. */
  #keepWhileDraining(name: ServerName, existing: ExistingServer | undefined): void {
    this.#release(name);
    const canDrain =
      existing !== undefined &&
      endsConnections(name) &&
      [...existing.realServers.values()].some(({ masquerading }) => masquerading);
    if (!canDrain || this.#servers.isDesired(name) || this.#isExcluded(name)) return;
    const { scheduler, persistenceSeconds } = existing;
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
