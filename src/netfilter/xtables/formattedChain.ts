/**
 * Chains as text: their rules in the words of iptables-restore, and hashes of them.
 */
import { hash } from 'node:crypto';
import type { Chain, Table } from './chain.ts';
import { formatRule } from './rule.ts';

export interface FormattedChain {
  readonly table: Table;
  readonly name: string;
  /** Without `-A CHAIN`. */
  readonly rules: readonly string[];
}

/** Throws InvalidRule. */
export function formatChain({ table, name, rules }: Chain): FormattedChain {
  return { table, name, rules: rules.map(formatRule) };
}

/**
 * 64 bits of a hash of a chain's name and rules, as 16 hexadecimal digits. Sums of them are a hash of many chains in
 * any order.
 */
export function digestOf({ table, name, rules }: FormattedChain): string {
  return hash('sha256', [table, name, ...rules].join('\n'), 'hex').slice(0, 16);
}

/**
 * 52 bits of a hash of the rules of one chain, as many as a number holds exactly; 0 where there are none.
 */
export function digestOfSaveFormat(rules: readonly string[]): number {
  if (rules.length === 0) return 0;
  const digest = hash('sha256', rules.join('\n'), 'hex');
  return Number.parseInt(digest.slice(0, 13), 16);
}
