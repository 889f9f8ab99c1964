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
import type { ServiceSize } from '../../../model/serviceSize.ts';
import { verificationFailed } from '../../../netfilter/errors.ts';
import { ChainDigests } from '../../../netfilter/xtables/chainDigests.ts';
import { differencesOf, findDifference } from '../../../netfilter/xtables/compareTables.ts';
import type { FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
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
import { inTurns, type Pauses } from '../../engine/turns.ts';
import { isBucketChain } from '../plan/chainNames.ts';
import type { FormattedServicePort } from '../plan/format.ts';
import { LargeChanges } from '../plan/largeChanges.ts';
import { omitsComments, planner, type Plan, rulesOfSize } from '../plan/plan.ts';
import { renderIptables } from '../plan/render.ts';
import { ServiceChains } from '../plan/serviceChains.ts';
import { changeTransaction, sourceOf, trialRemovalTransaction, trialTransaction } from '../plan/transaction.ts';

/** What the tables hold. */
export interface AppliedTables {
  readonly iptables: Iptables;
  /** Decided by every full write anew, for changes must not rewrite what they are not about. */
  readonly commentsOmitted: boolean;
  /** How many lines a block of a transaction should hold. */
  readonly maxLines: number;
  readonly chains: ServiceChains;
  readonly largeChanges: LargeChanges;
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

  objectsOf(size: ServiceSize): number {
    return rulesOfSize(size);
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
    const input = await unlessEmpty(count.countRules(pieces), work.pauses);
    if (input !== undefined) await count.run(() => restore(iptables, { input, signal }));
    const after = input === undefined ? view : await count.run(() => readTables(iptables, this.#ownership, signal));
    const difference = findDifference(after, chains);
    if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
    const digests = new ChainDigests();
    digests.learn(after);
    const maxLines = linesPerBlock(differences);
    const largeChanges = new LargeChanges(chains, maxLines);
    return { iptables, commentsOmitted, maxLines, chains, largeChanges, digests };
  }

  /**
   * In one run of the tool; in none where no rule is different. Of all changes that are larger than a block it writes
   * one block.
   */
  async writeChange(applied: AppliedTables, changed: ReadonlySet<ServiceKey>, work: SyncWork): Promise<void> {
    const { iptables, maxLines, chains, largeChanges, digests } = applied;
    const { servicePorts, ahead } = await planChange(applied, changed, work);
    const changeSet = chains.change(servicePorts);
    const { written, inserted, removed } = changeSet;
    const dispatch = [...inserted.map(({ rule }) => rule), ...removed];
    digests.noteWritten([...written, ...ahead, ...dispatch.map(({ table, chain }) => ({ table, name: chain }))]);
    const input = [...changeTransaction(changeSet, { maxLines, ahead })].join('');
    if (input !== '') await load(input, iptables, work);
    work.unfinished = largeChanges.unfinished;
  }

  /** In a chain that nothing leads to; with all comments, so that nothing is left untried. */
  async tryOut(some: readonly ServiceKey[], iptables: Iptables, work: SyncWork): Promise<void> {
    const plan = planOf(work, false);
    const maxLines = linesPerBlock({ variant: iptables.variant, takesBlocks: await this.#takesBlocks(iptables, work) });
    const servicePorts: FormattedServicePort[] = [];
    for (const key of some) servicePorts.push(...(await inTurns(plan.rulesOf(key), work.pauses)));
    await load([...trialTransaction(plan.fixed, servicePorts, maxLines)].join(''), iptables, work);
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
  return { fixed, keys: () => work.state.keys(), rulesOf: (key) => work.planning(key, plan) };
}

/** What a change writes now: Services with all that is left of them, and chains of one that is not complete with them. */
interface PlannedChange {
  readonly servicePorts: ReadonlyMap<ServiceKey, readonly FormattedServicePort[]>;
  readonly ahead: readonly FormattedChain[];
}

async function planChange(
  { commentsOmitted, largeChanges }: AppliedTables,
  changed: ReadonlySet<ServiceKey>,
  work: SyncWork,
): Promise<PlannedChange> {
  const plan = planOf(work, commentsOmitted);
  const servicePorts = new Map<ServiceKey, readonly FormattedServicePort[]>();
  for (const key of changed)
    if (!largeChanges.take(key, () => work.portsAhead(key)))
      servicePorts.set(key, await inTurns(plan.rulesOf(key), work.pauses));
  const step = await inTurns(largeChanges.next(plan), work.pauses);
  if (step === undefined) return { servicePorts, ahead: [] };
  if ('ahead' in step) return { servicePorts, ahead: step.ahead };
  return { servicePorts: servicePorts.set(step.key, step.last), ahead: [] };
}

/** Whether a tree of dispatch stands in the kernel. */
function hasTree({ chains }: TablesView): boolean {
  return [...chains.values()].some(({ name }) => isBucketChain(name));
}

function load(input: string, iptables: Iptables, { count, signal }: SyncWork): Promise<void> {
  return count.run(() => restore(iptables, { input: count.countRules([input]), signal }));
}

/** The pieces, of which those up to the first that says something are computed here; undefined where none does. */
async function unlessEmpty(pieces: Generator<string>, pauses: Pauses): Promise<Iterable<string> | undefined> {
  let first = pieces.next();
  for (; first.done !== true && first.value === ''; first = pieces.next()) await pauses.takeDue();
  return first.done === true ? undefined : startingWith(first.value, pieces);
}

function* startingWith(first: string, others: Iterable<string>): Generator<string> {
  yield first;
  yield* others;
}
