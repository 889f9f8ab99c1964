/**
 * What one sync of iptables mode does: which Services it plans and which it leaves out, and what it sends, counted for
 * the SyncResult where it happens.
 */
import type { ServiceKey } from '../../../model/service.ts';
import type { QuarantinedService, SyncResult } from '../../backend.ts';
import type { Quarantine } from '../../engine/quarantine.ts';
import { InvalidRule } from '../../../netfilter/xtables/rule.ts';
import type { AppliedChains } from '../plan/appliedChains.ts';
import type { ChainDigests } from '../../../netfilter/xtables/chainDigests.ts';
import type { Plan } from '../plan/plan.ts';
import type { ServicePortRules } from '../plan/servicePortRules.ts';

interface SyncWorkOptions {
  readonly plan: Plan;
  /** The Services that are left out from the start. */
  readonly quarantine: Quarantine;
  readonly digests: ChainDigests;
}

/** Belongs to one sync and is thrown away with it. */
export class SyncWork {
  /**
   * The plan without the Services that are left out. One whose rule must not reach the kernel is left out while it is
   * formatted.
   */
  readonly plan: Plan;
  readonly digests: ChainDigests;
  /** Whether everything is written, and not a change alone. */
  isFull = false;
  readonly #quarantine: Map<ServiceKey, QuarantinedService>;
  #servicePorts = 0;
  #lines = 0;
  /** Written, by table. */
  readonly #rules: Record<string, number> = { filter: 0, nat: 0, mangle: 0 };
  #commands = 0;

  constructor({ plan, quarantine, digests }: SyncWorkOptions) {
    this.digests = digests;
    this.#quarantine = new Map(quarantine);
    this.plan = {
      ...plan,
      rulesOf: (key) => (this.#quarantine.has(key) ? [] : this.#countServicePorts(plan.rulesOf(key))),
      onInvalidRule: (key, error) => this.#leaveOutInvalid(key, error),
    };
  }

  /** The Services that are left out by now. */
  get quarantine(): Quarantine {
    return this.#quarantine;
  }

  /** From now on the plan has no rules for the Service. `reason` in CamelCase, `message` safe for a status. */
  leaveOut(service: ServiceKey, reason: string, message: string): void {
    this.#quarantine.set(service, { service, reason, message });
  }

  /** Runs one command of a tool and counts it. Throws what the command throws. */
  async run<Result>(command: () => Promise<Result>): Promise<Result> {
    this.#commands += 1;
    return command();
  }

  /** The same pieces of input, their lines and rules counted as they are read. */
  *counted(pieces: Iterable<string>): Generator<string> {
    let table = '';
    for (const piece of pieces) {
      const lines = piece.split('\n');
      this.#lines += lines.length - 1;
      for (const line of lines) {
        if (line.startsWith('*')) table = line.slice(1);
        else if (line.startsWith('-A ') || line.startsWith('-I ')) this.#rules[table] = (this.#rules[table] ?? 0) + 1;
      }
      yield piece;
    }
  }

  /** `chains`: what the kernel holds after this sync. */
  resultOf({ services, endpoints, rulesHash, rulesByTable }: AppliedChains): SyncResult {
    return {
      full: this.isFull,
      servicePortsPlanned: this.#servicePorts,
      linesSent: this.#lines,
      commandsRun: this.#commands,
      rulesWritten: this.#rules,
      services,
      endpoints,
      rulesHash,
      rulesByTable,
      quarantined: [...this.#quarantine.values()],
    };
  }

  #countServicePorts(servicePorts: readonly ServicePortRules[]): readonly ServicePortRules[] {
    this.#servicePorts += servicePorts.length;
    return servicePorts;
  }

  #leaveOutInvalid(key: ServiceKey, error: unknown): void {
    if (!(error instanceof InvalidRule)) throw error;
    this.leaveOut(key, 'InvalidRule', 'a rule of this Service would hold something that must not reach the kernel');
  }
}
