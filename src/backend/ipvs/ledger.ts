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
import type { Changes } from './changes.ts';
import { noChanges } from './changes.ts';
import { Claims } from './claims.ts';
import type { Fragment } from './fragment.ts';
import type { KernelState, PresentServer } from './kernelState.ts';
import { hasSettings } from './kernelState.ts';
import { SetKeeper } from './setKeeper.ts';
import type { ServerName, VirtualServer } from './virtualServer.ts';
import { endsConnections, serverAddress } from './virtualServer.ts';

interface Recorded {
  readonly fragments: readonly Fragment[];
  readonly digest: bigint;
}

/** Sorts behind every Service's name. */
const draining = '~draining';

export class Ledger {
  readonly #kernel: KernelState;
  readonly #excluded: readonly string[];
  readonly #services = new Map<ServiceKey, Recorded>();
  readonly #servers = new Claims<VirtualServer>();
  readonly #addresses = new Claims<true>();
  readonly #sets: SetKeeper;
  readonly #drainingServers = new Set<ServerName>();
  #touchedServers = new Set<ServerName>();
  #touchedAddresses = new Set<string>();
  #digest = 0n;
  #endpoints = 0;

  /** `excludeCIDRs`: virtual servers in these networks that no Service wants are somebody else's. */
  constructor(kernel: KernelState, excludeCIDRs: readonly string[] = []) {
    this.#kernel = kernel;
    this.#excluded = excludeCIDRs;
    this.#sets = new SetKeeper(kernel.sets);
    for (const name of kernel.servers.keys()) this.#touchedServers.add(name);
    for (const address of kernel.addresses) this.#touchedAddresses.add(address);
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
  record(key: ServiceKey, fragments: readonly Fragment[]): void {
    const before = this.#services.get(key);
    const digest = digestOf(fragments);
    if (before?.digest === digest) return;
    for (const fragment of before?.fragments ?? []) this.#claim(fragment, false);
    for (const fragment of fragments) this.#claim(fragment, true);
    this.#digest = BigInt.asUintN(64, this.#digest + digest - (before?.digest ?? 0n));
    this.#endpoints += countEndpoints(fragments) - countEndpoints(before?.fragments ?? []);
    if (fragments.length === 0) this.#services.delete(key);
    else this.#services.set(key, { fragments, digest });
  }

  #claim({ id, virtualServers, addresses, entries }: Fragment, wants: boolean): void {
    for (const server of virtualServers) this.#claimServer(server, id, wants);
    for (const address of addresses) this.#claimAddress(address, id, wants);
    for (const entry of entries) this.#sets.claim(entry, id, wants);
  }

  #claimServer(server: VirtualServer, owner: string, wants: boolean): void {
    if (wants) this.#servers.add(server.name, owner, server);
    else this.#servers.remove(server.name, owner);
    this.#touchedServers.add(server.name);
  }

  #claimAddress(address: string, owner: string, wants: boolean): void {
    if (wants) this.#addresses.add(address, owner, true);
    else this.#addresses.remove(address, owner);
    this.#touchedAddresses.add(address);
  }

  /** What makes the kernel as the Services want it, for all that was touched since the last time. */
  reconcile(): Changes {
    const changes = noChanges();
    for (const name of this.#touchedServers) this.#reconcileServer(name, changes);
    for (const address of this.#touchedAddresses) this.#reconcileAddress(address, changes);
    this.#sets.reconcile(changes);
    this.#touchedServers = new Set();
    this.#touchedAddresses = new Set();
    return changes;
  }

  /** Takes out what has drained by now; `seen` is the kernel read afresh. */
  finishDraining(seen: KernelState): Changes {
    const ended = [...this.#drainingServers].flatMap((name) => {
      const unwanted = [...(this.#kernel.servers.get(name)?.realServers.keys() ?? [])].filter(
        (address) => !this.#wants(name, address),
      );
      return unwanted
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

  #wants(name: ServerName, address: string): boolean {
    return this.#servers.wanted(name)?.realServers.includes(address) === true;
  }

  #reconcileServer(name: ServerName, changes: Changes): void {
    const present = this.#kernel.servers.get(name);
    this.#keepWhileDraining(name, present);
    const wanted = this.#servers.wanted(name);
    if (wanted !== undefined) this.#writeServer(wanted, changes);
    else if (present !== undefined) this.#dropServer(name, changes);
  }

  #dropServer(name: ServerName, changes: Changes): void {
    this.#kernel.servers.delete(name);
    this.#drainingServers.delete(name);
    if (!this.#isExcluded(name)) changes.servers.removed.push(name);
  }

  #writeServer(wanted: VirtualServer, changes: Changes): void {
    const { name, scheduler, persistenceSeconds } = wanted;
    const before = this.#kernel.servers.get(name);
    const after: PresentServer = { scheduler, persistenceSeconds, realServers: before?.realServers ?? new Map() };
    this.#kernel.servers.set(name, after);
    if (before === undefined) changes.servers.added.push(wanted);
    else if (!hasSettings(before, wanted)) changes.servers.edited.push(wanted);
    for (const address of wanted.realServers) this.#writeRealServer({ server: name, address }, after, changes);
    const kept = new Set(wanted.realServers);
    for (const address of [...after.realServers.keys()].filter((each) => !kept.has(each)))
      this.#retire({ server: name, address }, after, changes);
    const drains = after.realServers.size > kept.size;
    if (drains) this.#drainingServers.add(name);
    else this.#drainingServers.delete(name);
  }

  #writeRealServer(
    real: { server: ServerName; address: string },
    { realServers }: PresentServer,
    { realServers: changed }: Changes,
  ): void {
    const present = realServers.get(real.address);
    if (present?.weight === 1 && present.masquerading) return;
    if (present === undefined) changed.added.push(real);
    else changed.revived.push(real);
    realServers.set(real.address, { weight: 1, connections: 0, masquerading: true });
  }

  #retire(
    real: { server: ServerName; address: string },
    { realServers }: PresentServer,
    { realServers: changed }: Changes,
  ): void {
    const present = realServers.get(real.address);
    if (!endsConnections(real.server) || present?.masquerading !== true) {
      realServers.delete(real.address);
      changed.removed.push(real);
    } else if (present.weight !== 0) {
      realServers.set(real.address, { ...present, weight: 0 });
      changed.retired.push(real);
    }
  }

  /** Nobody wants the virtual server, but it may still have connections. */
  #keepWhileDraining(name: ServerName, present: PresentServer | undefined): void {
    this.#release(name);
    const canDrain =
      present !== undefined &&
      endsConnections(name) &&
      [...present.realServers.values()].some(({ masquerading }) => masquerading);
    if (!canDrain || this.#servers.isWanted(name) || this.#isExcluded(name)) return;
    const { scheduler, persistenceSeconds } = present;
    this.#servers.add(name, draining, { name, scheduler, persistenceSeconds, realServers: [] });
    const address = serverAddress(name);
    if (this.#kernel.addresses.has(address)) this.#claimAddress(address, `${draining} ${name}`, true);
  }

  #release(name: ServerName): void {
    this.#servers.remove(name, draining);
    this.#touchedServers.add(name);
    this.#claimAddress(serverAddress(name), `${draining} ${name}`, false);
  }

  #isExcluded(name: ServerName): boolean {
    return this.#excluded.some((network) => cidrContains(network, serverAddress(name)));
  }

  #reconcileAddress(address: string, changes: Changes): void {
    const { addresses } = this.#kernel;
    const isWanted = this.#addresses.isWanted(address);
    if (isWanted && !addresses.has(address)) changes.addresses.added.push(address);
    if (!isWanted && addresses.has(address)) changes.addresses.removed.push(address);
    if (isWanted) addresses.add(address);
    else addresses.delete(address);
    this.#sets.guard(address, isWanted);
  }
}

function countEndpoints(fragments: readonly Fragment[]): number {
  return fragments.reduce((sum, { endpoints }) => sum + endpoints, 0);
}

function digestOf(fragments: readonly Fragment[]): bigint {
  return fragments.length === 0 ? 0n : BigInt(`0x${hash('sha256', JSON.stringify(fragments), 'hex').slice(0, 16)}`);
}
