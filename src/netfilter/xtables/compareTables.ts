/**
 * How the kernel's tables differ from what they should hold.
 *
 * Rules that were just written are counted, not compared, for how iptables-save words a rule differs between versions;
 * a tool that did nothing at all is found so. What is read later is compared with what was read then.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { DesiredChains, IptablesVariant, Jump } from './chain.ts';
import type { ChainDigests } from './chainDigests.ts';
import type { FormattedChain } from './formattedChain.ts';
import { toSaveFormat } from './rule.ts';
import { digestOfSaveFormat } from './formattedChain.ts';
import { ChainMap, type Reference, type TablesView } from './tables.ts';
import type { Differences, StaleChain } from './transaction.ts';

/** Whether a rule of the kernel's chain is this jump of ours, whatever its comment says. */
export function isJump(reference: Omit<Reference, 'rule'>, jump: Jump): boolean {
  return (
    reference.table === jump.table &&
    reference.from === jump.from &&
    reference.to === jump.to &&
    reference.onlyNew === jump.onlyNew
  );
}

function missingJumps(view: TablesView, { jumps }: Pick<DesiredChains, 'jumps'>): readonly Jump[] {
  return jumps.filter((jump) => !view.references.some((reference) => isJump(reference, jump)));
}

/** The rules that are jumps of ours, of any writer. */
export function ownJumps(view: TablesView): readonly Reference[] {
  return view.references.filter((reference) => view.ownership.jumps.some((jump) => isJump(reference, jump)));
}

/** Jumps of another writer of ours, but for those to chains that it keeps; and all but the first of those repeated. */
function staleJumps(view: TablesView, { jumps }: Pick<DesiredChains, 'jumps'>): readonly Reference[] {
  const repeated = new Set(repetitions(view));
  return ownJumps(view).filter(
    (reference) =>
      repeated.has(reference) ||
      (!view.ownership.kept.has(reference.to) && !jumps.some((jump) => isJump(reference, jump))),
  );
}

/** Jumps of ours that stand there already, word for word: packets would take the same way again and again. */
function repetitions(view: TablesView): readonly Reference[] {
  const seen = new Set<string>();
  return ownJumps(view).filter(({ table, from, rule }) => {
    const text = [table, from, rule].join(' ');
    const isRepeated = seen.has(text);
    seen.add(text);
    return isRepeated;
  });
}

/** Chains of ours that the plan does not have, such as those of Services that went away while no agent ran. */
function staleChains(view: TablesView, desired: DesiredChains): readonly StaleChain[] {
  if (view.chains.size === 0) return [];
  const isDesired = new ChainMap<true>();
  for (const chain of desired.chainSizes()) isDesired.set(chain, true);
  const going = new Set(staleJumps(view, desired));
  const isReferred = new ChainMap<true>();
  for (const reference of view.references)
    if (!going.has(reference)) isReferred.set({ table: reference.table, name: reference.to }, true);
  const stale = [...view.chains.values()].filter(
    (chain) => !view.ownership.kept.has(chain.name) && !isDesired.has(chain),
  );
  return stale.map((chain) => ({ table: chain.table, name: chain.name, keep: isReferred.has(chain) }));
}

/**
 * What has to be done, and what is done already. Which chains are stale is computed when it is first asked for, which
 * is when `desired` is complete.
 */
export function differencesOf(
  { variant, family }: { readonly variant: IptablesVariant; readonly family: IPFamily },
  view: TablesView,
  desired: DesiredChains,
): Differences {
  let stale: readonly StaleChain[] | undefined;
  const exists = (chain: FormattedChain): boolean => {
    const existing = view.chains.get(chain);
    return (
      existing?.rules === chain.rules.length &&
      existing.digest === digestOfSaveFormat(chain.rules.map((rule) => toSaveFormat(rule, family)))
    );
  };
  return {
    variant,
    exists,
    missingJumps: missingJumps(view, desired),
    staleJumps: staleJumps(view, desired),
    stale: () => (stale ??= staleChains(view, desired)),
  };
}

/**
 * The first thing in which the kernel is not as planned, in words for a log; undefined when all is there. With `before`
 * also the first chain that was edited since the last reading.
 */
export function findDifference(
  view: TablesView,
  desired: DesiredChains,
  before?: Pick<ChainDigests, 'isEdited'>,
): string | undefined {
  for (const chain of desired.chainSizes()) {
    const { table, name, rules } = chain;
    const found = view.chains.get(chain);
    if (found === undefined) return `chain ${name} of table ${table} is missing`;
    if (found.rules !== rules) return `chain ${name} of table ${table} holds ${found.rules} rules instead of ${rules}`;
    if (before?.isEdited(found) === true) return `chain ${name} of table ${table} holds other rules than were written`;
  }
  const [missing] = missingJumps(view, desired);
  if (missing !== undefined) return `the ${nameOf(missing)} is missing`;
  const [repeated] = repetitions(view);
  return repeated && `the ${nameOf(repeated)} stands more than once`;
}

function nameOf({ table, from, to }: Pick<Reference, 'table' | 'from' | 'to'>): string {
  return `jump from ${from} to ${to} in table ${table}`;
}
