/**
 * Transactions: the input of `iptables-restore --noflush` that makes the kernel equal to a plan, whole or as a change.
 *
 * A table's rules change in one atomic step at its COMMIT, two tables do not; the order of the blocks sees to it that
 * no Service address is without a rule in between.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import type { ChainId, FixedPlan, Jump, Table } from '../../engine/kubeChains.ts';
import { services, trial } from '../../engine/kubeChains.ts';
import type { ChangeSet, Insertion } from './appliedChains.ts';
import { AppliedChains } from './appliedChains.ts';
import type { Plan } from './plan.ts';
import { planState } from './plan.ts';
import type { FormattedChain, FormattedDispatchRule, FormattedServicePort } from './format.ts';
import { formatChain, formatService } from './format.ts';
import { comment, formatRule, jumpTo, newConnection } from '../../../netfilter/xtables/rule.ts';
import { restoreArguments } from '../../../netfilter/xtables/restore.ts';
import type { Variant } from '../../../netfilter/xtables/variant.ts';

/** What the kernel shows already; on an empty node every jump is missing and nothing is stale. */
export interface Differences {
  readonly variant: Variant;
  /** False where the tool does not take a table more than once in a run; then everything goes in one block. */
  readonly takesBlocks?: boolean;
  /** In the order in which they are committed; nat first without it. */
  readonly tables?: readonly Table[];
  readonly missingJumps: readonly Jump[];
  /** Those of a mode that ran before. */
  readonly staleJumps: readonly RemovableJump[];
  /** Called when the AppliedChains is filled. */
  readonly stale: () => readonly StaleChain[];
  /** Whether the kernel holds a chain with these very rules, which then need not be written; none without it. */
  readonly exists?: (chain: FormattedChain) => boolean;
}

/** `keep`: somebody else's rule still leads there, so it can only be emptied. */
export interface StaleChain extends ChainId {
  readonly keep: boolean;
}

export interface RemovableJump {
  readonly table: Table;
  readonly from: string;
  readonly rule: string;
}

/** What an empty node of the state's family would be given: the tool, its arguments and its input. */
export function renderIptables(state: ServiceState): {
  tool: string;
  args: readonly string[];
  family: IPFamily;
  input: string;
} {
  const plan = planState(state);
  const variant = state.config.iptables?.backend === 'Legacy' ? 'legacy' : 'nft';
  const pieces = fullTransaction(plan, new AppliedChains(plan.fixed), {
    missingJumps: plan.fixed.jumps,
    staleJumps: [],
    stale: () => [],
    variant,
  });
  const tool = state.family === 'ipv4' ? 'iptables-restore' : 'ip6tables-restore';
  return { tool, args: restoreArguments, family: state.family, input: [...pieces].join('') };
}

/**
 * The whole plan but what stands, as pieces that end with a line end each, computed while they are read; `applied` is
 * filled on the way. nat comes first: a Service that got its first endpoint can then be reached before its refusal in
 * filter goes.
 */
export function* fullTransaction(plan: Plan, applied: AppliedChains, differences: Differences): Generator<string> {
  for (const table of differences.tables ?? (['nat', 'filter', 'mangle'] as const))
    yield* inBlocks(table, piecesOf(table, plan, applied, differences));
}

const commit = 'COMMIT\n';

/** `*TABLE`, the pieces, `COMMIT`; nothing at all where no piece says anything. A piece may be a COMMIT itself. */
function* inBlocks(table: Table, pieces: Iterable<string>): Generator<string> {
  let isOpen = false;
  for (const piece of pieces) {
    if (piece === '' || (piece === commit && !isOpen)) continue;
    if (!isOpen) yield `*${table}\n`;
    yield piece;
    isOpen = piece !== commit;
  }
  if (isOpen) yield commit;
}

function* piecesOf(table: Table, plan: Plan, applied: AppliedChains, differences: Differences): Generator<string> {
  const inTable = (each: { readonly table: Table }): boolean => each.table === table;
  const write = (chain: FormattedChain): string => (differences.exists?.(chain) === true ? '' : writeChain(chain));
  for (const chain of plan.fixed.chains.filter(inTable).map(formatChain)) yield write(chain);
  if (table === 'nat') yield* serviceBlocks(plan, applied, { atOnce: perCommit(differences), write });
  for (const chain of plan.fixed.dispatch.filter(inTable).map(formatChain))
    yield write({ ...chain, rules: applied.dispatchRules(chain) });
  yield differences.missingJumps.filter(inTable).map(insertJump).join('');
  yield differences.staleJumps.filter(inTable).map(deleteJump).join('');
  yield removeChains(differences.stale().filter(inTable));
}

/**
 * The nft variant takes time by the square of what is in one block (measured, 1.8.9: 10,000 Services take 61 s in one
 * block, 3 s in blocks of 100); the legacy one copies the whole table at every COMMIT. A Service's chains are in one
 * block, and the dispatch comes last, so that every Service is served by its old or its new rules in between.
 */
function perCommit({ variant, takesBlocks = true }: Differences): number {
  return variant === 'nft' && takesBlocks ? 100 : Number.POSITIVE_INFINITY;
}

interface Blocks {
  readonly atOnce: number;
  readonly write: (chain: FormattedChain) => string;
}

function* serviceBlocks(plan: Plan, applied: AppliedChains, { atOnce, write }: Blocks): Generator<string> {
  let written = 0;
  for (const key of plan.keys()) {
    const formatted = formatService(plan, key);
    applied.fill(key, formatted);
    const text = formatted.flatMap(({ chains }) => chains.map(write)).join('');
    yield text;
    if (text !== '') written += 1;
    if (text !== '' && written % atOnce === 0) yield commit;
  }
  yield* treeBlocks(applied.finishFill(), { atOnce, write });
}

/**
 * A bucket's chain leads to the same Services wherever it hangs, so one that is written before its parent does no harm.
 */
function* treeBlocks(chains: Iterable<FormattedChain>, { atOnce, write }: Blocks): Generator<string> {
  let written = 0;
  for (const chain of chains) {
    const text = write(chain);
    yield text;
    if (text !== '') written += 1;
    if (text !== '' && written % atOnce === 0) yield commit;
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

function inFilter(rule: FormattedDispatchRule): boolean {
  return rule.table === 'filter';
}

function inNat(rule: FormattedDispatchRule): boolean {
  return rule.table === 'nat';
}

function block(table: Table, pieces: readonly string[]): string {
  const body = pieces.join('');
  return body === '' ? '' : `*${table}\n${body}COMMIT\n`;
}

/** Declaring a chain makes it or empties it. */
function declareChain(name: string): string {
  return `:${name} - [0:0]\n`;
}

function writeChain({ name, rules }: FormattedChain): string {
  return declareChain(name) + rules.map((rule) => `-A ${name} ${rule}\n`).join('');
}

function insertRule({ position, rule: { chain, rule } }: Insertion): string {
  return `-I ${chain} ${position} ${rule}\n`;
}

/** By its content, not its place: somebody may have put a rule of their own between ours. */
function deleteRule({ chain, rule }: FormattedDispatchRule): string {
  return `-D ${chain} ${rule}\n`;
}

function insertJump(jump: Jump): string {
  const matches = [...(jump.onlyNew ? [newConnection] : []), comment(jump.comment)];
  return `-I ${jump.from} ${formatRule({ matches, target: jumpTo(jump.to) })}\n`;
}

function deleteJump({ from, rule }: RemovableJump): string {
  return `-D ${from} ${rule}\n`;
}

/** Takes out what is there of ours: jumps first, as rules that iptables-save showed, then the chains. */
export function removalTransaction(jumps: readonly RemovableJump[], chains: readonly StaleChain[]): string {
  const removalIn = (table: Table): string =>
    block(table, [
      ...jumps.filter((jump) => jump.table === table).map(deleteJump),
      removeChains(chains.filter((chain) => chain.table === table)),
    ]);
  return (['nat', 'filter', 'mangle'] as const).map(removalIn).join('');
}

/** Dispatch by address in one chain again, of rules as iptables-save showed them, and without the buckets. */
export function* flatDispatchTransaction(rules: readonly string[], buckets: readonly string[]): Generator<string> {
  yield '*nat\n';
  yield writeChain({ table: 'nat', name: services, rules });
  yield removeChains(buckets.map((name) => ({ table: 'nat', name, keep: false })));
  yield 'COMMIT\n';
}

/** All of them are emptied before the first is deleted, because they refer to each other. */
function removeChains(chains: readonly StaleChain[]): string {
  const deletions = chains.filter(({ keep }) => !keep).map(({ name }) => `-X ${name}\n`);
  return chains.map(({ name }) => declareChain(name)).join('') + deletions.join('');
}
