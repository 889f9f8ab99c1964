/**
 * How the kernel's tables differ from what they should hold.
 *
 * Rules that were just written are counted, not compared, for how iptables-save words a rule differs between versions;
 * a tool that did nothing at all is found so. What is read later is compared with what was read then.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { Jump } from '../shared/chains.ts';
import { allJumps, bridge } from '../shared/chains.ts';
import { isBucketChain } from '../shared/names.ts';
import type { ChainTexts } from './chainTexts.ts';
import type { Ledger } from './ledger.ts';
import type { PrintedChain } from './print.ts';
import type { Differences, StaleChain } from './render.ts';
import { asSaved, digestOfSaved } from './saved.ts';
import type { Variant } from './variant.ts';
import { chainKey, type KernelView, type Reference } from './tables.ts';

function isJump(reference: Reference, jump: Jump): boolean {
  return (
    reference.table === jump.table &&
    reference.from === jump.from &&
    reference.to === jump.to &&
    reference.onlyNew === jump.onlyNew
  );
}

function missingJumps(view: KernelView, { jumps }: Pick<Ledger, 'jumps'>): readonly Jump[] {
  return jumps.filter((jump) => !view.references.some((reference) => isJump(reference, jump)));
}

/** Jumps of ours, of any mode. */
export function ownJumps(view: KernelView): readonly Reference[] {
  return view.references.filter((reference) => allJumps.some((jump) => isJump(reference, jump)));
}

/** Jumps of a mode that ran before. The bridge is no mode's: who put it up takes it away. */
function staleJumps(view: KernelView, { jumps }: Pick<Ledger, 'jumps'>): readonly Reference[] {
  return ownJumps(view).filter(
    (reference) => reference.to !== bridge && !jumps.some((jump) => isJump(reference, jump)),
  );
}

/** Chains of ours that the plan does not have, such as those of Services that went away while no agent ran. */
function staleChains(view: KernelView, ledger: Ledger): readonly StaleChain[] {
  const planned = new Set([...ledger.chains()].map(chainKey));
  const going = new Set(staleJumps(view, ledger));
  const referred = new Set(
    view.references.filter((reference) => !going.has(reference)).map(({ table, to }) => chainKey({ table, name: to })),
  );
  const stale = [...view.chains].filter(([key, { name }]) => name !== bridge && !planned.has(key));
  return stale.map(([key, { table, name }]) => ({ table, name, keep: referred.has(key) }));
}

export function hasTree({ chains }: KernelView): boolean {
  return [...chains.values()].some(({ name }) => isBucketChain(name));
}

/** What has to be done, and what is done already; which chains are stale is asked when the ledger is full. */
export function differencesOf(
  { variant, family }: { readonly variant: Variant; readonly family: IPFamily },
  view: KernelView,
  ledger: Ledger,
): Differences {
  const stands = (chain: PrintedChain): boolean => {
    const standing = view.chains.get(chainKey(chain));
    return (
      standing?.rules === chain.rules.length &&
      standing.digest === digestOfSaved(chain.rules.map((rule) => asSaved(rule, family)))
    );
  };
  return {
    variant,
    stands,
    missingJumps: missingJumps(view, ledger),
    staleJumps: staleJumps(view, ledger),
    stale: () => staleChains(view, ledger),
  };
}

/**
 * The first thing in which the kernel is not as planned, or since it was read before, in words; undefined when all is
 * there.
 */
export function findDifference(
  view: KernelView,
  ledger: Ledger,
  before?: Pick<ChainTexts, 'isEdited'>,
): string | undefined {
  for (const chain of ledger.chains()) {
    const { table, name, rules } = chain;
    const found = view.chains.get(chainKey(chain));
    if (found === undefined) return `chain ${name} of table ${table} is missing`;
    if (found.rules !== rules) return `chain ${name} of table ${table} holds ${found.rules} rules instead of ${rules}`;
    if (before?.isEdited(found) === true) return `chain ${name} of table ${table} holds other rules than were written`;
  }
  const [jump] = missingJumps(view, ledger);
  return jump && `the jump from ${jump.from} to ${jump.to} in table ${jump.table} is missing`;
}
