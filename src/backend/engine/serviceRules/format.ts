/**
 * Plans as text: chains and rules in the words of iptables-restore, still apart from any transaction.
 */
import type { Table } from '../../../netfilter/xtables/chain.ts';
import { formatChain, type FormattedChain } from '../../../netfilter/xtables/formattedChain.ts';
import { formatRule } from '../../../netfilter/xtables/rule.ts';
import type { DispatchRule, ServicePortRules } from './servicePortRules.ts';

export interface FormattedDispatchRule {
  readonly table: Table;
  readonly chain: string;
  readonly rule: string;
  /** The Service's address that it is about; undefined where a rule is about a port of the node. */
  readonly address: string | undefined;
}

export interface FormattedServicePort {
  /** What is referred to comes first. */
  readonly chains: readonly FormattedChain[];
  readonly dispatch: readonly FormattedDispatchRule[];
  /** Number of endpoints that the chains lead to. */
  readonly endpoints: number;
}

/** Throws InvalidRule where a rule holds something that must not reach the kernel. */
export function formatServicePort({ chains, dispatch, endpoints }: ServicePortRules): FormattedServicePort {
  return { chains: chains.map(formatChain), dispatch: dispatch.map(formatDispatchRule), endpoints };
}

function formatDispatchRule({ table, chain, rule }: DispatchRule): FormattedDispatchRule {
  const destination = rule.matches.find((match) => match.kind === 'destination');
  return { table, chain, rule: formatRule(rule), address: destination?.network };
}

/**
 * Where rules stand in a dispatch chain: by what they say, which begins with the Service's name. So it does not matter
 * which came first, and no rule moves because another one comes or goes.
 */
export function compareDispatch(a: FormattedDispatchRule, b: FormattedDispatchRule): number {
  if (a.rule === b.rule) return 0;
  return a.rule < b.rule ? -1 : 1;
}
