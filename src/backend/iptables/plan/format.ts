/**
 * Plans as text: chains and rules in the words of iptables-restore, still apart from any transaction.
 */
import { hash } from 'node:crypto';
import type { Chain, Table } from '../../engine/kubeChains.ts';
import type { ServiceKey } from '../../../model/service.ts';
import type { DispatchRule, ServicePortRules } from './servicePortRules.ts';
import type { Plan } from './plan.ts';
import { formatRule } from '../../../netfilter/xtables/rule.ts';

export interface FormattedChain {
  readonly table: Table;
  readonly name: string;
  /** Without `-A CHAIN`. */
  readonly rules: readonly string[];
}

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
  /** Number of endpoint chains. */
  readonly endpoints: number;
}

/** Throws InvalidRule where a rule holds something that must not reach the kernel. */
export function formatServicePort({ chains, dispatch, endpoints }: ServicePortRules): FormattedServicePort {
  return { chains: chains.map(formatChain), dispatch: dispatch.map(formatDispatchRule), endpoints };
}

/**
 * All ports of a Service, or nothing of it: a part could open what the whole would close. Where a rule cannot be
 * written the plan's `onInvalidRule` is called and nothing is returned; without one, InvalidRule is thrown.
 */
export function formatService(plan: Plan, key: ServiceKey): readonly FormattedServicePort[] {
  try {
    return plan.rulesOf(key).map(formatServicePort);
  } catch (error) {
    if (plan.onInvalidRule === undefined) throw error;
    plan.onInvalidRule(key, error);
    return [];
  }
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
