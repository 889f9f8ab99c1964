/**
 * Takes a chain of ours out of the tables in which it stands, and the jumps that lead to it.
 */
import { ownJumps } from '../../../netfilter/xtables/compareTables.ts';
import type { Table } from '../../../netfilter/xtables/chain.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import { removalTransaction } from '../../../netfilter/xtables/transaction.ts';

/** The input of iptables-restore; undefined where it does not stand. `only`: leaves it standing in other tables. */
export function findRemoval(view: TablesView, chain: string, only?: Table): string | undefined {
  const isMeant = (table: Table): boolean => only === undefined || only === table;
  const jumps = ownJumps(view).filter(({ table, to }) => to === chain && isMeant(table));
  const chains = [...view.chains.values()].filter(({ table, name }) => name === chain && isMeant(table));
  const input = removalTransaction(
    jumps,
    chains.map(({ table, name }) => ({ table, name, keep: false })),
  );
  return input === '' ? undefined : input;
}
