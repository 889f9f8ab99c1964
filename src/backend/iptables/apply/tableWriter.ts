/**
 * Writes the plans of iptables mode into the kernel's tables, whole or as a change. A full write is read back, because
 * no tool is believed that it worked.
 *
 * Only what differs is written: the rules that stand are compared in the words of iptables-save, so that a new agent, or
 * one in kube-proxy's place, leaves rules alone that stand. Where a version of the tool has other words, more is written
 * than need be.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { ServiceKey } from '../../../model/service.ts';
import { verificationFailed } from '../../../netfilter/errors.ts';
import { ChainDigests } from '../../../netfilter/xtables/chainDigests.ts';
import { differencesOf, findDifference } from '../../../netfilter/xtables/compareTables.ts';
import type { Ownership } from '../../../netfilter/xtables/ownership.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { readTables } from '../../../netfilter/xtables/tools/readTables.ts';
import { removeAll } from '../../../netfilter/xtables/tools/removeAll.ts';
import { restore, takesBlocks } from '../../../netfilter/xtables/tools/restore.ts';
import type { VariantSelector } from '../../../netfilter/xtables/tools/variant.ts';
import { fullTransaction, linesPerBlock } from '../../../netfilter/xtables/transaction.ts';
import { sampleServiceState } from '../../engine/sampleServices.ts';
import type { ModeWriter } from '../../engine/syncEngine.ts';
import type { Holdings, SyncWork } from '../../engine/syncWork.ts';
import { isBucketChain } from '../../engine/serviceRules/chainNames.ts';
import type { FormattedServicePort } from '../../engine/serviceRules/format.ts';
import { omitsComments, type Plan } from '../../engine/serviceRules/plan.ts';
import { ServiceChains } from '../../engine/serviceRules/serviceChains.ts';
import {
  changeTransaction,
  sourceOf,
  trialRemovalTransaction,
  trialTransaction,
} from '../../engine/serviceRules/transaction.ts';
import { planner } from '../plan/plan.ts';
import { renderIptables } from '../plan/render.ts';

/** What the tables hold. */
export interface AppliedTables {
  readonly iptables: Iptables;
  /** Decided by every full write anew, for changes must not rewrite what they are not about. */
  readonly commentsOmitted: boolean;
  /** How many lines a block of a transaction should hold. */
  readonly maxLines: number;
  readonly chains: ServiceChains;
  /** Of the last reading. */
  readonly digests: ChainDigests;
}

export class TableWriter implements ModeWriter<Iptables, AppliedTables> {
  readonly objects = 'rules';
  readonly #variants: VariantSelector;
  readonly #ownership: Ownership;
  /** Whether a tool takes a table more than once in a run. */
  readonly #blocks = new WeakMap<Iptables, boolean>();

  constructor(variants: VariantSelector, ownership: Ownership) {
    this.#variants = variants;
    this.#ownership = ownership;
  }

  open({ iptables }: NodeConfig): Promise<Iptables> {
    return this.#variants.select(iptables?.backend);
  }

  /** Throws InvalidRule where the configuration itself cannot be written, else every Service would be left out for it. */
  async writeAll(iptables: Iptables, work: SyncWork): Promise<AppliedTables> {
    const { state, count, signal } = work;
    renderIptables(sampleServiceState(state.config, state.family));
    const commentsOmitted = omitsComments({ keys: () => state.keys(), ports: (key) => work.portsAhead(key) });
    const plan = planOf(work, commentsOmitted);
    const view = await count.run(() => readTables(iptables, this.#ownership, signal));
    const chains = new ServiceChains(plan.fixed, hasTree(view));
    const differences = {
      ...differencesOf(iptables, view, chains),
      takesBlocks: await this.#takesBlocks(iptables, work),
    };
    const pieces = fullTransaction(sourceOf(plan, chains, differences), differences);
    const input = unlessEmpty(count.countRules(pieces));
    if (input !== undefined) await count.run(() => restore(iptables, { input, signal }));
    const after = input === undefined ? view : await count.run(() => readTables(iptables, this.#ownership, signal));
    const difference = findDifference(after, chains);
    if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
    const digests = new ChainDigests();
    digests.learn(after);
    return { iptables, commentsOmitted, maxLines: linesPerBlock(differences), chains, digests };
  }

  /** In one run of the tool; in none where no rule is different. */
  async writeChange(applied: AppliedTables, changed: ReadonlySet<ServiceKey>, work: SyncWork): Promise<void> {
    const { iptables, commentsOmitted, maxLines, chains, digests } = applied;
    const plan = planOf(work, commentsOmitted);
    const servicePorts = new Map<ServiceKey, readonly FormattedServicePort[]>();
    for (const key of changed) servicePorts.set(key, plan.rulesOf(key));
    const changeSet = chains.change(servicePorts);
    const { written, inserted, removed } = changeSet;
    const dispatch = [...inserted.map(({ rule }) => rule), ...removed];
    digests.noteWritten([...written, ...dispatch.map(({ table, chain }) => ({ table, name: chain }))]);
    const input = [...changeTransaction(changeSet, maxLines)].join('');
    if (input !== '') await load(input, iptables, work);
  }

  /** In a chain that nothing leads to; with all comments, so that nothing is left untried. */
  async tryOut(some: readonly ServiceKey[], iptables: Iptables, work: SyncWork): Promise<void> {
    const plan = planOf(work, false);
    const maxLines = linesPerBlock({ variant: iptables.variant, takesBlocks: await this.#takesBlocks(iptables, work) });
    await load([...trialTransaction(plan.fixed, some.flatMap(plan.rulesOf), maxLines)].join(''), iptables, work);
  }

  /** Asked once of a tool. */
  async #takesBlocks(iptables: Iptables, { count, signal }: SyncWork): Promise<boolean> {
    if (iptables.variant !== 'nft') return false;
    const known = this.#blocks.get(iptables) ?? (await count.run(() => takesBlocks(iptables, signal)));
    this.#blocks.set(iptables, known);
    return known;
  }

  endTrials(iptables: Iptables, work: SyncWork): Promise<void> {
    return load(trialRemovalTransaction(), iptables, work);
  }

  async removeOf(iptables: Iptables): Promise<void> {
    await removeAll(iptables, this.#ownership);
  }

  holdingsOf({ chains: { services, endpoints, rulesHash, rulesByTable } }: AppliedTables): Holdings {
    return { services, endpoints, rulesHash, rulesByTable };
  }
}

/** The plan of what the work does not leave out. */
function planOf(work: SyncWork, commentsOmitted: boolean): Plan {
  const { fixed, plan } = planner(work.state, commentsOmitted);
  return { fixed, keys: () => work.state.keys(), rulesOf: (key) => work.planned(key, plan) };
}

/** Whether a tree of dispatch stands in the kernel. */
function hasTree({ chains }: TablesView): boolean {
  return [...chains.values()].some(({ name }) => isBucketChain(name));
}

function load(input: string, iptables: Iptables, { count, signal }: SyncWork): Promise<void> {
  return count.run(() => restore(iptables, { input: count.countRules([input]), signal }));
}

/** The pieces, of which those up to the first that there is are computed at once; undefined where there is none. */
function unlessEmpty(pieces: Generator<string>): Iterable<string> | undefined {
  const first = pieces.next();
  return first.done === true ? undefined : startingWith(first.value, pieces);
}

function* startingWith(first: string, others: Iterable<string>): Generator<string> {
  yield first;
  yield* others;
}
