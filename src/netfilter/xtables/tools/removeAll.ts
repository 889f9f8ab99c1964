/**
 * Takes everything of ours out of the tables.
 */
import { ownJumps } from '../compareTables.ts';
import { type Ownership, withoutKept } from '../ownership.ts';
import { ChainMap, type ExistingChain, type Reference, type TablesView } from '../tables.ts';
import { verificationFailed } from '../../errors.ts';
import { removalTransaction } from '../transaction.ts';
import type { Iptables } from './iptables.ts';
import { readTables } from './readTables.ts';
import { restore } from './restore.ts';
import { readVariants, type VariantSelector, type VariantView, type XtablesNode } from './variant.ts';

export interface RemovalOptions {
  readonly isDryRun?: boolean;
  /** What completes a chain that stays (`Ownership.completedBy`) stays, too. */
  readonly keepsShared?: boolean;
}

/**
 * Removes all chains and jumps of ours, of every writer, and returns the names of what was removed, or in a dry run
 * would be. Chains that somebody else's rules lead to stay, so that those rules stay byte for byte. Throws a SyncError.
 */
export async function removeAll(
  iptables: Iptables,
  ownership: Ownership,
  { isDryRun = false, keepsShared = false }: RemovalOptions = {},
): Promise<readonly string[]> {
  const { own, chains } = ofOurs(await readTables(iptables, ownership), keepsShared);
  const input = removalTransaction(
    own,
    chains.map(({ table, name }) => ({ table, name, keep: false })),
  );
  if (input === '') return [];
  if (!isDryRun) {
    await restore(iptables, { input: [input] });
    await verifyNothingLeft(iptables, ownership, keepsShared);
  }
  const removed = [
    ...own.map(({ table, from, to }) => `jump ${from} -> ${to} of table ${table}`),
    ...chains.map(({ table, name }) => `chain ${name} of table ${table}`),
  ];
  return removed.map((what) => `${iptables.variant} ${what}`);
}

/** As `removeAll`, in all of these variants. */
export async function removeFromVariants(
  variants: readonly VariantView[],
  { ownership }: Pick<XtablesNode, 'ownership'>,
  options?: RemovalOptions,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { iptables } of variants) removed.push(...(await removeAll(iptables, ownership, options)));
  return removed;
}

/** As `removeAll`, in all variants but the selected, and not what another writer keeps there (`Ownership.kept`). */
export function removeElsewhere(
  variants: VariantSelector,
  node: XtablesNode,
  options?: RemovalOptions,
): Promise<readonly string[]> {
  const inPart = { ...node, ownership: withoutKept(node.ownership) };
  return variants.besideSelected(async (selected) =>
    removeFromVariants(await readVariants(inPart, selected), inPart, options),
  );
}

async function verifyNothingLeft(iptables: Iptables, ownership: Ownership, keepsShared: boolean): Promise<void> {
  const { own, chains } = ofOurs(await readTables(iptables, ownership), keepsShared);
  const [jump] = own;
  const [chain] = chains;
  const left = jump === undefined ? chain && `chain ${chain.name} of table ${chain.table}` : `a jump to ${jump.to}`;
  if (left !== undefined) throw verificationFailed('iptables-restore', `${left} is still there`);
}

/** What can go: jumps, and chains that nobody else's rule leads to; with `keepsShared` but for what completes these. */
function ofOurs(
  view: TablesView,
  keepsShared: boolean,
): { readonly own: readonly Reference[]; readonly chains: readonly ExistingChain[] } {
  const jumps = ownJumps(view);
  const stays = new ChainMap<true>();
  for (const { table, to } of view.references.filter((reference) => !jumps.includes(reference))) {
    stays.set({ table, name: to }, true);
    const completion = keepsShared ? view.ownership.completedBy.get(to) : undefined;
    if (completion !== undefined) stays.set({ table, name: completion }, true);
  }
  return {
    own: jumps.filter(({ table, to }) => !isCompletion(view.ownership, to) || !stays.has({ table, name: to })),
    chains: [...view.chains.values()].filter((chain) => !stays.has(chain)),
  };
}

function isCompletion({ completedBy }: Ownership, name: string): boolean {
  return [...completedBy.values()].includes(name);
}
