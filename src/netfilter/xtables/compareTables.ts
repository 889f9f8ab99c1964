/**
 * How the kernel's tables differ from what they should hold.
 *
 * Rules that were just written are counted, not compared, for how iptables-save words a rule differs between versions;
 * a tool that did nothing at all is found so. What is read later is compared with what was read then.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { Jump } from '../../backend/engine/kubeChains.ts';
import { allJumps, bridge } from '../../backend/engine/kubeChains.ts';
import { isBucketChain } from '../../backend/iptables/plan/chainNames.ts';
import type { ChainDigests } from './chainDigests.ts';
import type { AppliedChains } from '../../backend/iptables/plan/appliedChains.ts';
import type { FormattedChain } from '../../backend/iptables/plan/format.ts';
import type { Differences, StaleChain } from '../../backend/iptables/plan/transaction.ts';
import { toSaveFormat, digestOfSaveFormat } from './saveFormat.ts';
import type { Variant } from './variant.ts';
import { chainKey, type TablesView, type Reference } from './tables.ts';

/** Whether a rule of the kernel's chain is this jump of ours, whatever its comment says. */
function isJump(reference: Reference, jump: Jump): boolean {
  return (
    reference.table === jump.table &&
    reference.from === jump.from &&
    reference.to === jump.to &&
    reference.onlyNew === jump.onlyNew
  );
}

function missingJumps(view: TablesView, { jumps }: Pick<AppliedChains, 'jumps'>): readonly Jump[] {
  return jumps.filter((jump) => !view.references.some((reference) => isJump(reference, jump)));
}

/** The rules that are jumps of ours, of any mode. */
export function ownJumps(view: TablesView): readonly Reference[] {
  return view.references.filter((reference) => allJumps.some((jump) => isJump(reference, jump)));
}

/** Jumps of a mode that ran before. The bridge is no mode's: who put it up takes it away. */
function staleJumps(view: TablesView, { jumps }: Pick<AppliedChains, 'jumps'>): readonly Reference[] {
  return ownJumps(view).filter(
    (reference) => reference.to !== bridge && !jumps.some((jump) => isJump(reference, jump)),
  );
}

/** Chains of ours that the plan does not have, such as those of Services that went away while no agent ran. */
function staleChains(view: TablesView, applied: AppliedChains): readonly StaleChain[] {
  const planned = new Set([...applied.chainSizes()].map(chainKey));
  const going = new Set(staleJumps(view, applied));
  const referred = new Set(
    view.references.filter((reference) => !going.has(reference)).map(({ table, to }) => chainKey({ table, name: to })),
  );
  const stale = [...view.chains].filter(([key, { name }]) => name !== bridge && !planned.has(key));
  return stale.map(([key, { table, name }]) => ({ table, name, keep: referred.has(key) }));
}

/** Whether a tree of dispatch stands in the kernel. */
export function hasTree({ chains }: TablesView): boolean {
  return [...chains.values()].some(({ name }) => isBucketChain(name));
}

/**
 * What has to be done, and what is done already. Which chains are stale is computed when it is asked for, which is when
 * `applied` is filled.
 */
export function differencesOf(
  { variant, family }: { readonly variant: Variant; readonly family: IPFamily },
  view: TablesView,
  applied: AppliedChains,
): Differences {
  const exists = (chain: FormattedChain): boolean => {
    const existing = view.chains.get(chainKey(chain));
    return (
      existing?.rules === chain.rules.length &&
      existing.digest === digestOfSaveFormat(chain.rules.map((rule) => toSaveFormat(rule, family)))
    );
  };
  return {
    variant,
    exists,
    missingJumps: missingJumps(view, applied),
    staleJumps: staleJumps(view, applied),
    stale: () => staleChains(view, applied),
  };
}

/**
 * The first thing in which the kernel is not as planned, in words for a log; undefined when all is there. With `before`
 * also the first chain that was edited since the last reading.
 */
export function findDifference(
  view: TablesView,
  applied: AppliedChains,
  before?: Pick<ChainDigests, 'isEdited'>,
): string | undefined {
  for (const chain of applied.chainSizes()) {
    const { table, name, rules } = chain;
    const found = view.chains.get(chainKey(chain));
    if (found === undefined) return `chain ${name} of table ${table} is missing`;
    if (found.rules !== rules) return `chain ${name} of table ${table} holds ${found.rules} rules instead of ${rules}`;
    if (before?.isEdited(found) === true) return `chain ${name} of table ${table} holds other rules than were written`;
  }
  const [jump] = missingJumps(view, applied);
  return jump && `the jump from ${jump.from} to ${jump.to} in table ${jump.table} is missing`;
}
