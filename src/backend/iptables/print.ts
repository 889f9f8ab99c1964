/**
 * Plans as text: chains and rules in the words of iptables-restore, still apart from any transaction.
 */
import { hash } from 'node:crypto';
import type { Chain, Table } from './fixed.ts';
import type { DispatchRule, Fragment } from './fragment.ts';
import { formatRule } from './rule.ts';

export interface PrintedChain {
  readonly table: Table;
  readonly name: string;
  /** Without `-A CHAIN`. */
  readonly rules: readonly string[];
}

export interface PrintedDispatch {
  readonly table: Table;
  readonly chain: string;
  /** Where the rule stands among the others of its chain: the same whether it came first or was added later. */
  readonly order: string;
  readonly rule: string;
}

export interface PrintedFragment {
  readonly chains: readonly PrintedChain[];
  readonly dispatch: readonly PrintedDispatch[];
  readonly endpoints: number;
}

export function printFragment({ id, chains, dispatch, endpoints }: Fragment): PrintedFragment {
  const printDispatch = ({ table, chain, rule }: DispatchRule, index: number): PrintedDispatch => ({
    table,
    chain,
    order: `${id} ${String(index).padStart(4, '0')}`,
    rule: formatRule(rule),
  });
  return { chains: chains.map(printChain), dispatch: dispatch.map(printDispatch), endpoints };
}

export function printChain({ table, name, rules }: Chain): PrintedChain {
  return { table, name, rules: rules.map(formatRule) };
}

/** 64 bits that tell one chain's content from another's. Sums of them are a hash of many chains in any order. */
export function digestOf({ table, name, rules }: PrintedChain): bigint {
  return BigInt(`0x${hash('sha256', [table, name, ...rules].join('\n'), 'hex').slice(0, 16)}`);
}
