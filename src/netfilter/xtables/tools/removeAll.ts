/**
 * Takes everything of ours out of the tables.
 */
import { ownJumps } from '../compareTables.ts';
import type { Ownership } from '../ownership.ts';
import { ChainMap, type ExistingChain, type Reference, type TablesView } from '../tables.ts';
import { verificationFailed } from '../../errors.ts';
import { removalTransaction } from '../transaction.ts';
import type { Iptables } from './iptables.ts';
import { readTables } from './readTables.ts';
import { restore } from './restore.ts';

/**
 * Removes all chains and jumps of ours, of every writer, and returns the names of what was removed. Chains that
 * somebody else's rules lead to stay, so that those rules stay byte for byte. Throws a SyncError.
 */
export async function removeAll(iptables: Iptables, ownership: Ownership): Promise<readonly string[]> {
  const { own, chains } = ofOurs(await readTables(iptables, ownership));
  const input = removalTransaction(
    own,
    chains.map(({ table, name }) => ({ table, name, keep: false })),
  );
  if (input === '') return [];
  await restore(iptables, { input: [input] });
  await verifyNothingLeft(iptables, ownership);
  const removed = [
    ...own.map(({ table, from, to }) => `jump ${from} -> ${to} of table ${table}`),
    ...chains.map(({ table, name }) => `chain ${name} of table ${table}`),
  ];
  return removed.map((what) => `${iptables.variant} ${what}`);
}

async function verifyNothingLeft(iptables: Iptables, ownership: Ownership): Promise<void> {
  const { own, chains } = ofOurs(await readTables(iptables, ownership));
  const [jump] = own;
  const [chain] = chains;
  const left = jump === undefined ? chain && `chain ${chain.name} of table ${chain.table}` : `a jump to ${jump.to}`;
  if (left !== undefined) throw verificationFailed('iptables-restore', `${left} is still there`);
}

/** What can go: jumps, and chains that nobody else's rule leads to. */
function ofOurs(view: TablesView): { readonly own: readonly Reference[]; readonly chains: readonly ExistingChain[] } {
  const own = ownJumps(view);
  const isForeign = new ChainMap<true>();
  for (const reference of view.references)
    if (!own.includes(reference)) isForeign.set({ table: reference.table, name: reference.to }, true);
  return { own, chains: [...view.chains.values()].filter((chain) => !isForeign.has(chain)) };
}
