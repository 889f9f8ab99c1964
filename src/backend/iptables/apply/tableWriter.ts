/**
 * Writes the plans of iptables mode, whole or as a change; how, is `../../engine/apply/rulesWriter.ts`.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { ServiceKey } from '../../../model/service.ts';
import type { ServiceSize } from '../../../model/serviceSize.ts';
import type { Ownership } from '../../../netfilter/xtables/ownership.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { removeAll } from '../../../netfilter/xtables/tools/removeAll.ts';
import type { VariantSelector } from '../../../netfilter/xtables/tools/variant.ts';
import { type AppliedRules, RulesWriter } from '../../engine/apply/rulesWriter.ts';
import { sampleServiceState } from '../../engine/sampleServices.ts';
import type { FormattedServicePort } from '../../engine/serviceRules/format.ts';
import { maxLinesOfEndpoints, omitsComments, type Plan, rulesOfSize } from '../../engine/serviceRules/plan.ts';
import type { ModeWriter } from '../../engine/syncEngine.ts';
import type { Holdings, SyncWork } from '../../engine/syncWork.ts';
import { inTurns } from '../../engine/turns.ts';
import { planner } from '../plan/plan.ts';
import { renderIptables } from '../plan/render.ts';

/** What the tables hold. */
export interface AppliedTables extends AppliedRules {
  /** Decided by every full write anew, for changes must not rewrite what they are not about. */
  readonly commentsOmitted: boolean;
}

export class TableWriter implements ModeWriter<Iptables, AppliedTables> {
  readonly objects = 'rules';
  readonly #variants: VariantSelector;
  readonly #ownership: Ownership;
  readonly #rules: RulesWriter;

  constructor(variants: VariantSelector, ownership: Ownership) {
    this.#variants = variants;
    this.#ownership = ownership;
    this.#rules = new RulesWriter(ownership);
  }

  objectsOf(size: ServiceSize): number {
    return rulesOfSize(size);
  }

  open({ iptables }: NodeConfig): Promise<Iptables> {
    return this.#variants.select(iptables?.backend);
  }

  /**
   * Throws InvalidRule where the configuration itself cannot be written, else every Service would be left out for it.
   */
  async writeAll(iptables: Iptables, work: SyncWork): Promise<AppliedTables> {
    const { state } = work;
    renderIptables(sampleServiceState(state.config, state.family));
    const commentsOmitted = omitsComments({ keys: () => state.keys(), ports: (key) => work.portsAhead(key) });
    const applied = await this.#rules.writeAll(iptables, planOf(work, commentsOmitted), work);
    return { ...applied, commentsOmitted };
  }

  writeChange(applied: AppliedTables, changed: ReadonlySet<ServiceKey>, work: SyncWork): Promise<void> {
    const { rulesOf } = planOf(work, applied.commentsOmitted);
    const maxLinesOf = (key: ServiceKey): number => maxLinesOfEndpoints(work.portsAhead(key));
    return this.#rules.writeChange(applied, { changed, rulesOf, maxLinesOf }, work);
  }

  /** With all comments, so that nothing is left untried. */
  async tryOut(some: readonly ServiceKey[], iptables: Iptables, work: SyncWork): Promise<void> {
    const { fixed, rulesOf } = planOf(work, false);
    const servicePorts: FormattedServicePort[] = [];
    for (const key of some) servicePorts.push(...(await inTurns(rulesOf(key), work.pauses)));
    await this.#rules.tryOut(iptables, fixed, servicePorts, work);
  }

  endTrials(iptables: Iptables, work: SyncWork): Promise<void> {
    return this.#rules.endTrials(iptables, work);
  }

  async removeOf(iptables: Iptables): Promise<void> {
    await removeAll(iptables, this.#ownership);
  }

  findDrift(applied: AppliedTables, signal: AbortSignal): Promise<string | undefined> {
    return this.#rules.findDrift(applied, signal);
  }

  holdingsOf({ chains: { services, endpoints, rulesHash, rulesByTable } }: AppliedTables): Holdings {
    return { services, endpoints, rulesHash, rulesByTable };
  }
}

/** The plan of what the work does not leave out. */
function planOf(work: SyncWork, commentsOmitted: boolean): Plan {
  const { fixed, plan } = planner(work.state, commentsOmitted);
  return { fixed, keys: () => work.state.keys(), rulesOf: (key) => work.planning(key, plan) };
}
