/**
 * Writes rules of Services into the kernel's tables, whole or as a change. A full write is read back, because no tool
 * is believed that it worked.
 *
 * Only what differs is written: the rules that stand are compared in the words of iptables-save, so that a new agent,
 * or one in kube-proxy's place, leaves rules alone that stand. Where a version of the tool has other words, more is
 * written than need be.
 */
import type { ServiceKey } from '../../../model/service.ts';
import { verificationFailed } from '../../../netfilter/errors.ts';
import type { Table } from '../../../netfilter/xtables/chain.ts';
import { ChainDigests } from '../../../netfilter/xtables/chainDigests.ts';
import { differencesOf, findDifference } from '../../../netfilter/xtables/compareTables.ts';
import type { Ownership } from '../../../netfilter/xtables/ownership.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { readTables } from '../../../netfilter/xtables/tools/readTables.ts';
import { restore, takesBlocks } from '../../../netfilter/xtables/tools/restore.ts';
import { fullTransaction, linesPerBlock } from '../../../netfilter/xtables/transaction.ts';
import { isBucketChain } from '../serviceRules/chainNames.ts';
import type { FormattedServicePort } from '../serviceRules/format.ts';
import { LargeChanges, type LargeChangesStep } from '../serviceRules/largeChanges.ts';
import type { DispatchPlan, Plan } from '../serviceRules/plan.ts';
import { ServiceChains } from '../serviceRules/serviceChains.ts';
import { changeTransaction, sourceOf, trialRemovalTransaction, trialTransaction } from '../serviceRules/transaction.ts';
import type { SyncWork } from '../syncWork.ts';
import { inTurns, type Pauses } from '../turns.ts';

/** What the tables hold. */
export interface AppliedRules {
  readonly iptables: Iptables;
  /** How many lines a block of a transaction should hold. */
  readonly maxLines: number;
  readonly chains: ServiceChains;
  readonly largeChanges: LargeChanges;
  /** Of the last reading. */
  readonly digests: ChainDigests;
}

export interface RulesChange extends Pick<Plan, 'rulesOf'> {
  readonly changed: ReadonlySet<ServiceKey>;
  /** How many lines the rules of a Service may have, without computing them. */
  readonly maxLinesOf: (key: ServiceKey) => number;
}

export interface FullWrite {
  /** In the order in which the tables are committed; nat first without it. */
  readonly tables?: readonly Table[];
  /** What the tables hold, where they were just read. */
  readonly view?: TablesView;
}

/** Of one mode in one IP family. All methods throw SyncErrors. */
export class RulesWriter {
  readonly #ownership: Ownership;
  /** Whether a tool takes a table more than once in a run. */
  readonly #blocks = new WeakMap<Iptables, boolean>();

  constructor(ownership: Ownership) {
    this.#ownership = ownership;
  }

  /** Makes the tables hold the plan, and of ours nothing else. */
  async writeAll(iptables: Iptables, plan: Plan, work: SyncWork, options: FullWrite = {}): Promise<AppliedRules> {
    const { count, signal } = work;
    const view = options.view ?? (await this.read(iptables, work));
    const chains = new ServiceChains(plan.fixed, hasTree(view));
    const differences = {
      ...differencesOf(iptables, view, chains),
      ...(options.tables && { tables: options.tables }),
      takesBlocks: await this.#takesBlocks(iptables, work),
    };
    const pieces = fullTransaction(sourceOf(plan, chains, differences), differences);
    const input = await unlessEmpty(count.countRules(pieces), work.pauses);
    if (input !== undefined) await count.run(() => restore(iptables, { input, signal }));
    const after = input === undefined ? view : await this.read(iptables, work);
    const difference = findDifference(after, chains);
    if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
    const digests = new ChainDigests();
    digests.learn(after);
    const maxLines = linesPerBlock(differences);
    return { iptables, maxLines, chains, largeChanges: new LargeChanges(chains, maxLines), digests };
  }

  read(iptables: Iptables, { count, signal }: SyncWork): Promise<TablesView> {
    return count.run(() => readTables(iptables, this.#ownership, signal));
  }

  /**
   * In one run of the tool; in none where no rule is different. Of all changes of large Services it writes one block
   * together, and the work knows then what is unfinished.
   */
  async writeChange(applied: AppliedRules, change: RulesChange, work: SyncWork): Promise<void> {
    const { iptables, maxLines, chains, largeChanges, digests } = applied;
    const { servicePorts, ahead } = await planChange(largeChanges, change, work);
    const changeSet = chains.change(servicePorts);
    const { written, inserted, removed, check } = changeSet;
    const dispatch = [...inserted.map(({ rule }) => rule), ...removed];
    digests.noteWritten([
      ...written,
      ...check.written,
      ...ahead,
      ...dispatch.map(({ table, chain }) => ({ table, name: chain })),
    ]);
    const input = [...changeTransaction(changeSet, { maxLines, ahead })].join('');
    if (input !== '') await load(input, iptables, work);
    work.unfinished = largeChanges.unfinished;
  }

  /** Has the kernel judge rules in a chain that nothing leads to. */
  async tryOut(
    iptables: Iptables,
    fixed: DispatchPlan,
    servicePorts: readonly FormattedServicePort[],
    work: SyncWork,
  ): Promise<void> {
    const maxLines = linesPerBlock({ variant: iptables.variant, takesBlocks: await this.#takesBlocks(iptables, work) });
    await load([...trialTransaction(fixed, servicePorts, maxLines)].join(''), iptables, work);
  }

  /** Takes that chain away. */
  endTrials(iptables: Iptables, work: SyncWork): Promise<void> {
    return load(trialRemovalTransaction(), iptables, work);
  }

  /** The first thing in which the tables are not as they were written, in words for a log. */
  async findDrift({ iptables, chains, digests }: AppliedRules, signal: AbortSignal): Promise<string | undefined> {
    const view = await readTables(iptables, this.#ownership, signal);
    const difference = findDifference(view, chains, digests);
    if (difference === undefined) digests.learn(view);
    return difference;
  }

  /** Asked once of a tool. */
  async #takesBlocks(iptables: Iptables, { count, signal }: SyncWork): Promise<boolean> {
    if (iptables.variant !== 'nft') return false;
    const known = this.#blocks.get(iptables) ?? (await count.run(() => takesBlocks(iptables, signal)));
    this.#blocks.set(iptables, known);
    return known;
  }
}

/** What is written now: of large changes a block, of all others everything. */
async function planChange(
  largeChanges: LargeChanges,
  { changed, rulesOf, maxLinesOf }: RulesChange,
  { pauses }: SyncWork,
): Promise<{ servicePorts: LargeChangesStep['complete']; ahead: LargeChangesStep['ahead'] }> {
  const servicePorts = new Map<ServiceKey, readonly FormattedServicePort[]>();
  for (const key of changed)
    if (!largeChanges.take(key, () => maxLinesOf(key))) servicePorts.set(key, await inTurns(rulesOf(key), pauses));
  const { complete, ahead } = await inTurns(largeChanges.next({ rulesOf }), pauses);
  return { servicePorts: new Map([...servicePorts, ...complete]), ahead };
}

/** Whether a tree of dispatch stands in the kernel. */
function hasTree({ chains }: TablesView): boolean {
  return [...chains.values()].some(({ table, name }) => table === 'nat' && isBucketChain(name));
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
