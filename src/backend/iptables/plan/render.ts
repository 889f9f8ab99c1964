/**
 * What an empty node would be given.
 */
import type { ServiceState } from '../../../model/serviceState.ts';
import { fullTransaction, restoreArguments, type Differences } from '../../../netfilter/xtables/transaction.ts';
import type { ToolInput } from '../../mode.ts';
import { ServiceChains } from '../../engine/serviceRules/serviceChains.ts';
import { sourceOf } from '../../engine/serviceRules/transaction.ts';
import { planState } from './plan.ts';

/** Of the state's family. Throws InvalidRule. */
export function renderIptables(state: ServiceState): ToolInput {
  const plan = planState(state);
  const differences: Differences = {
    missingJumps: plan.fixed.jumps,
    staleJumps: [],
    stale: () => [],
    variant: state.config.iptables?.backend === 'Legacy' ? 'legacy' : 'nft',
  };
  const source = sourceOf(plan, new ServiceChains(plan.fixed), differences);
  const tool = state.family === 'ipv4' ? 'iptables-restore' : 'ip6tables-restore';
  return {
    tool,
    args: restoreArguments,
    family: state.family,
    input: [...fullTransaction(source, differences)].join(''),
  };
}
