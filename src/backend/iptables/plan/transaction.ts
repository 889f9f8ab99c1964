/**
 * Transactions of iptables mode, whole or as a change.
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
  groupsPerBlock,
  removeChains,
  writeChain,
  type Differences,
  type TableSource,
  type WriteChain,
} from '../../../netfilter/xtables/transaction.ts';
import { services } from '../../engine/kubeChains.ts';
import type { FormattedDispatchRule, FormattedServicePort } from './format.ts';
import { trial } from './owned.ts';
import type { Plan } from './plan.ts';
import type { ChangeSet, Insertion, ServiceChains } from './serviceChains.ts';

/**
 * The whole plan, computed while it is read; `chains` is filled on the way. To be written with nat first: a Service that
 * got its first endpoint can then be reached before its refusal in filter goes.
 *
 * A Service's chains are in one block, and the dispatch comes last, so that every Service is served by its old or its
 * new rules in between.
 */
export function sourceOf(plan: Plan, chains: ServiceChains, differences: Differences): TableSource {
  const groups = groupsPerBlock(differences);
  return {
    *pieces(table, write) {
      yield* chains.fixed.pieces(table, write);
      if (table === 'nat') {
        yield* inBlocks(fillAll(plan, chains), { groups, write });
        // A bucket's chain leads to the same Services wherever it hangs: one that is written before its parent does no
        // harm.
        yield* inBlocks(buckets(chains), { groups, write });
      }
      for (const chain of chains.dispatchChains(table)) yield write(chain);
    },
  };
}

function* fillAll(plan: Plan, chains: ServiceChains): Generator<readonly FormattedChain[]> {
  for (const key of plan.keys()) {
    const servicePorts = plan.rulesOf(key);
    chains.fill(key, servicePorts);
    yield servicePorts.flatMap((servicePort) => servicePort.chains);
  }
}

function* buckets(chains: ServiceChains): Generator<readonly FormattedChain[]> {
  for (const chain of chains.finishFill()) yield [chain];
}

function* inBlocks(
  groups: Iterable<readonly FormattedChain[]>,
  { groups: maxGroups, write }: { readonly groups: number; readonly write: WriteChain },
): Generator<string> {
  let written = 0;
  for (const group of groups) {
    const text = group.map(write).join('');
    if (text === '') continue;
    yield text;
    written += 1;
    if (written % maxGroups === 0) yield commit;
  }
}

/**
 * A change. Every table's part is one atomic step; what adds to filter goes before nat, what takes away from it after:
 * a Service that loses its last endpoint is refused before its way through nat is gone, one that gets its first is
 * served before its refusal is.
 */
export function changeTransaction({ written, inserted, removed, stale }: ChangeSet): string {
  return [
    block('filter', inserted.filter(({ rule }) => inFilter(rule)).map(insertRule)),
    block('nat', [
      ...written.map(writeChain),
      ...inserted.filter(({ rule }) => inNat(rule)).map(insertRule),
      ...removed.filter(inNat).map(deleteRule),
      removeChains(stale.map((chain) => ({ ...chain, keep: false }))),
    ]),
    block('filter', removed.filter(inFilter).map(deleteRule)),
  ].join('');
}

/**
 * The chains of some Services, and their dispatch rules in a chain that nothing leads to: the kernel judges them as it
 * would at their place, and no packet meets them. Rewriting chains that are in use with what they are about to hold
 * anyway does no harm.
 */
export function trialTransaction(fixed: FixedPlan, servicePorts: readonly FormattedServicePort[]): string {
  const dispatch = servicePorts.flatMap((servicePort) => servicePort.dispatch);
  const rulesOf = (table: Table): readonly string[] =>
    dispatch.filter((rule) => rule.table === table).map(({ rule }) => rule);
  const inTrial = (table: Table): string => writeChain({ table, name: trial, rules: rulesOf(table) });
  const chains = [
    ...fixed.chains.filter(({ table }) => table === 'nat').map(formatChain),
    ...servicePorts.flatMap((servicePort) => servicePort.chains),
  ];
  return block('nat', [...chains.map(writeChain), inTrial('nat')]) + block('filter', [inTrial('filter')]);
}

/** Takes the chain of trials out of both tables. */
export function trialRemovalTransaction(): string {
  return (['nat', 'filter'] as const)
    .map((table) => block(table, [removeChains([{ table, name: trial, keep: false }])]))
    .join('');
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
