/**
 * What one sync does, for any mode: which Services it plans and which it leaves out, and what it sends.
 */
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import type { ServiceSize } from '../../model/serviceSize.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import { InvalidRule } from '../../netfilter/checked.ts';
import type { QuarantinedService, SyncResult } from '../backend.ts';
import { CommandCount } from './commandCount.ts';
import type { Quarantine } from './quarantine.ts';
import { atOnce, Pauses, type Turns } from './turns.ts';

/** What the kernel holds of ours after a sync. */
export type Holdings = Pick<SyncResult, 'services' | 'endpoints' | 'rulesHash' | 'rulesByTable'>;

export interface SyncWorkOptions {
  readonly state: ServiceState;
  /** The Services that are left out from the start. */
  readonly quarantine: Quarantine;
  readonly signal: AbortSignal;
  /** How many objects the mode makes of a Service at most. */
  readonly objectsOf: (size: ServiceSize) => number;
}

/**
 * Of one Service in one IP family. What it asks for is held in memory while it is written, and at each change of a table
 * the kernel walks through all rules of it (measured: 0.7 µs for each, Linux 6.18).
 */
export const maxObjectsPerService = 200_000;

const untriedReason = 'NotTriedYet';

/** Belongs to one sync and is thrown away with it. */
export class SyncWork {
  /** Of all Services, also of those that are left out. */
  readonly state: ServiceState;
  readonly signal: AbortSignal;
  readonly count = new CommandCount();
  readonly pauses = new Pauses();
  /** Whether everything is written, and not a change alone. */
  isFull = false;
  /** The Services of which a part is written, and that the next sync is to be asked for. */
  unfinished: readonly ServiceKey[] = [];
  readonly #quarantine: Map<ServiceKey, QuarantinedService>;
  readonly #objectsOf: SyncWorkOptions['objectsOf'];
  #servicePorts = 0;
  /** Asked for before they are planned. */
  readonly #ahead = new Map<ServiceKey, readonly ServicePort[]>();

  constructor({ state, quarantine, signal, objectsOf }: SyncWorkOptions) {
    this.signal = signal;
    this.#objectsOf = objectsOf;
    this.#quarantine = new Map(quarantine);
    this.state = state;
  }

  /** The Services that are left out by now. */
  get quarantine(): Quarantine {
    return this.#quarantine;
  }

  /** From now on these Services are planned again. */
  readmit(services: Iterable<ServiceKey>): void {
    for (const service of services) this.#quarantine.delete(service);
  }

  /** Number of Services that are left out only because there was no time to try them. */
  get untried(): number {
    return [...this.#quarantine.values()].filter(({ reason }) => reason === untriedReason).length;
  }

  /** Leaves out a Service of which it is not known whether the kernel refuses it. */
  leaveOutUntried(service: ServiceKey): void {
    this.leaveOut(
      service,
      untriedReason,
      'the kernel refused this Service among others, and there are so many that it could not be tried alone yet; the search goes on',
    );
  }

  /** From now on the Service has no ports. `reason` in CamelCase, `message` safe for a status. */
  leaveOut(service: ServiceKey, reason: string, message: string): void {
    this.#quarantine.set(service, { service, reason, message });
  }

  /** A Service's ports before they are planned; kept until then, so that its endpoints are chosen once. */
  portsAhead(key: ServiceKey): readonly ServicePort[] {
    const ports = this.#ahead.get(key) ?? this.#portsOf(key);
    this.#ahead.set(key, ports);
    return ports;
  }

  /** None where the Service asks for so much that it is left out from now on. */
  #portsOf(key: ServiceKey): readonly ServicePort[] {
    const objects = this.#objectsOf(this.state.size(key));
    if (objects <= maxObjectsPerService) return this.state.ports(key);
    const message = `the Service would make up to ${objects} rules or other objects in the kernel, and a node takes ${maxObjectsPerService} of one Service; give it fewer ports, endpoints, addresses or source ranges`;
    this.leaveOut(key, 'TooManyRules', message);
    return [];
  }

  /**
   * What `plan` makes of a Service's ports: all of it or nothing, for a part could open what the whole would close.
   * Nothing for a Service that is left out, as it is from now on where `plan` throws InvalidRule. Throws anything else.
   */
  planned<Planned>(key: ServiceKey, plan: (ports: readonly ServicePort[]) => Iterable<Planned>): readonly Planned[] {
    return atOnce(this.planning(key, plan));
  }

  /** As `planned`, in turns. */
  *planning<Planned>(
    key: ServiceKey,
    plan: (ports: readonly ServicePort[]) => Iterable<Planned>,
  ): Turns<readonly Planned[]> {
    if (this.#quarantine.has(key)) return [];
    const ports = this.#ahead.get(key) ?? this.#portsOf(key);
    this.#ahead.delete(key);
    this.#servicePorts += ports.length;
    const planned: Planned[] = [];
    try {
      for (const each of plan(ports)) {
        planned.push(each);
        yield;
      }
      return planned;
    } catch (error) {
      if (!(error instanceof InvalidRule)) throw error;
      this.leaveOut(key, 'InvalidRule', 'a rule of this Service would hold something that must not reach the kernel');
      return [];
    }
  }

  resultOf(holdings: Holdings): SyncResult {
    return {
      full: this.isFull,
      servicePortsPlanned: this.#servicePorts,
      linesSent: this.count.lines,
      commandsRun: this.count.commands,
      rulesWritten: this.count.rules,
      ...holdings,
      quarantined: [...this.#quarantine.values()],
      untried: this.untried,
      unfinished: this.unfinished,
    };
  }
}
