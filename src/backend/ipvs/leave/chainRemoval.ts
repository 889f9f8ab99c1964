/**
 * Takes a chain of ours out of the tables in which it stands, and the jumps that lead to it.
 */
import { ownJumps } from '../../../netfilter/xtables/compareTables.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import { removalTransaction } from '../../../netfilter/xtables/transaction.ts';

/** The input of iptables-restore; undefined where it does not stand. */
export function findRemoval(view: TablesView, chain: string): string | undefined {
  const jumps = ownJumps(view).filter(({ to }) => to === chain);
  const chains = [...view.chains.values()].filter(({ name }) => name === chain);
  const input = removalTransaction(
    jumps,
    chains.map(({ table, name }) => ({ table, name, keep: false })),
  );
  return input === '' ? undefined : input;
}
