/**
 * Transactions of rules of Services, whole or as a change.
 *
 * A table's rules change in one atomic step at its COMMIT, two tables do not; the order of the blocks sees to it that
 * no Service address is without a rule in between.
 */
import type { Table } from '../../../netfilter/xtables/chain.ts';
import type { FixedPlan } from '../../../netfilter/xtables/fixedChains.ts';
import { formatChain, type FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
import {
  block,
  commit,
  cutIntoBlocks,
  inBlocks,
  lineOf,
  linesPerBlock,
  pieceOfChains,
  piecesOfChains,
  removalOf,
  removeChains,
  writeChain,
  type Differences,
  type Piece,
  type TableSource,
} from '../../../netfilter/xtables/transaction.ts';
import { clusterIPsReject, services, trial } from '../kubeChains.ts';
import type { Turns } from '../turns.ts';
import type { FormattedDispatchRule, FormattedServicePort } from './format.ts';
import type { Plan } from './plan.ts';
import type { ChangeSet, Insertion, ServiceChains } from './serviceChains.ts';

/**
 * The whole plan, computed while it is read; `chains` is filled on the way. With another table than nat first the plan
 * is computed twice: what a table's dispatch holds is known when all Services are.
 *
 * A Service's chains are in one block, and the dispatch comes last, so that every Service is served by its old or its
 * new rules in between.
 */
export function sourceOf(plan: Plan, chains: ServiceChains, differences: Differences): TableSource {
  const maxLines = linesPerBlock(differences);
  let isFilled = false;
  return {
    *pieces(table, write) {
      yield* chains.fixed.pieces(table, write);
      const groups = groupsOf(plan, chains, isFilled);
      if (table === 'nat') yield* cutIntoBlocks(piecesOfChains(groups, write), maxLines);
      else if (!isFilled) for (const _group of groups) yield '';
      isFilled = true;
      if (table === 'filter')
        yield* cutIntoBlocks(piecesOfChains(groupsOfOne(chains.takeClusterIPChains()), write), maxLines);
      for (const chain of chains.dispatchChains(table)) yield write(chain);
    },
  };
}

function* groupsOfOne(chains: Iterable<FormattedChain>): Generator<readonly FormattedChain[]> {
  for (const chain of chains) yield [chain];
}

/** In nat. Fills `chains` where it is not filled. A group without chains is a place to pause. */
function* groupsOf(plan: Plan, chains: ServiceChains, isFilled: boolean): Generator<readonly FormattedChain[]> {
  for (const key of plan.keys()) {
    const servicePorts = yield* pausing(plan.rulesOf(key));
    if (!isFilled) chains.fill(key, servicePorts);
    yield servicePorts.flatMap((servicePort) => servicePort.chains);
  }
  // A bucket's chain leads to the same Services wherever it hangs: one that is written before its parent does no harm.
  yield* groupsOfOne(chains.finishFill());
}

function* pausing<Result>(turns: Turns<Result>): Generator<readonly FormattedChain[], Result> {
  let step = turns.next();
  for (; step.done !== true; step = turns.next()) yield [];
  return step.value;
}

export interface ChangeOptions {
  readonly maxLines: number;
  /** Chains of a Service that is not completely written yet, at most a block; they come last. */
  readonly ahead?: readonly FormattedChain[];
}

/**
 * A change. Every table's part is one atomic step, unless it is larger than a block; what adds to filter goes before
 * nat, what takes away from it after: a Service that loses its last endpoint is refused before its way through nat is
 * gone, one that gets its first is served before its refusal is. What checks unused cluster IPs goes after nat whether it
 * comes or goes: no packet for a Service that is served meets it. In a change of several blocks the chains of Services
 * come first and the rules that lead to them last, as in a full write; then the chains to which nothing leads any more
 * are emptied, and then deleted.
 */
export function* changeTransaction(
  { written, inserted, removed, stale, check }: ChangeSet,
  { maxLines, ahead = [] }: ChangeOptions,
): Generator<string> {
  yield* linesOf('filter', inserted.filter(({ rule }) => inFilter(rule)).map(insertRule), maxLines);
  const inOrder = [
    ...inserted.filter(({ rule }) => inNat(rule)).map(insertRule),
    ...removed.filter(inNat).map(deleteRule),
    ...removalOf(stale.map((chain) => ({ ...chain, keep: false }))),
  ];
  yield* inBlocks('nat', cutIntoBlocks([...written.map(pieceOf), ...inOrder.map(lineOf)], maxLines));
  const checkStale = check.stale.map((name) => ({ table: 'filter' as const, name, keep: false }));
  const inFilterLast = [...removed.filter(inFilter).map(deleteRule), ...removalOf(checkStale)].map(lineOf);
  yield* inBlocks('filter', cutIntoBlocks([...check.written.map(pieceOf), ...inFilterLast], maxLines));
  yield block('nat', ahead.map(writeChain));
}

function linesOf(table: Table, lines: readonly string[], maxLines: number): Generator<string> {
  return inBlocks(table, cutIntoBlocks(lines.map(lineOf), maxLines));
}

const pieceOf = (chain: FormattedChain): Piece => pieceOfChains([chain], writeChain);

/**
 * The chains of some Services, and their dispatch rules in a chain that nothing leads to: the kernel judges them as it
 * would at their place, and no packet meets them. Rewriting chains that are in use with what they are about to hold
 * anyway does no harm.
 */
export function* trialTransaction(
  fixed: FixedPlan,
  servicePorts: readonly FormattedServicePort[],
  maxLines: number,
): Generator<string> {
  const dispatch = servicePorts.flatMap((servicePort) => servicePort.dispatch);
  const inTrial = (table: Table): FormattedChain => {
    const rules = dispatch.filter((rule) => rule.table === table).map(({ rule }) => rule);
    return { table, name: trial, rules };
  };
  const chains = [
    ...fixed.chains.filter(({ table }) => table === 'nat').map(formatChain),
    ...servicePorts.flatMap((servicePort) => servicePort.chains),
    inTrial('nat'),
  ];
  yield* inBlocks('nat', cutIntoBlocks(chains.map(pieceOf), maxLines));
  const rejectChains = fixed.chains.filter(({ table, name }) => table === 'filter' && name === clusterIPsReject);
  yield block('filter', [...rejectChains.map(formatChain), inTrial('filter')].map(writeChain));
}

/** Takes the chain of trials out of both tables. */
export function trialRemovalTransaction(): string {
  return (['nat', 'filter'] as const)
    .map((table) => block(table, [removeChains([{ table, name: trial, keep: false }])]))
    .join('');
}

/** Takes the check of unused cluster IPs out: the rules of KUBE-SERVICES that lead there, then the chains. */
export function checkRemovalTransaction(rules: readonly string[], chains: readonly string[]): string {
  return block('filter', [
    ...rules.map((rule) => `-D ${services} ${rule}\n`),
    removeChains(chains.map((name) => ({ table: 'filter', name, keep: false }))),
  ]);
}

/** Dispatch by address in one chain again, of rules as iptables-save showed them, and without the buckets. */
export function* flatDispatchTransaction(rules: readonly string[], bucketNames: readonly string[]): Generator<string> {
  yield '*nat\n';
  yield writeChain({ table: 'nat', name: services, rules });
  yield removeChains(bucketNames.map((name) => ({ table: 'nat', name, keep: false })));
  yield commit;
}

function inFilter(rule: FormattedDispatchRule): boolean {
  return rule.table === 'filter';
}

function inNat(rule: FormattedDispatchRule): boolean {
  return rule.table === 'nat';
}

function insertRule({ position, rule: { chain, rule } }: Insertion): string {
  return `-I ${chain} ${position} ${rule}\n`;
}

/** By its content, not its place: somebody may have put a rule of their own between ours. */
function deleteRule({ chain, rule }: FormattedDispatchRule): string {
  return `-D ${chain} ${rule}\n`;
}
