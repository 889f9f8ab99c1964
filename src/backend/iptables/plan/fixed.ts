/**
 * What stands in the kernel whatever the Services are: chains of ours, the jumps that lead to them, and the canaries.
 * Names, comments and order are kube-proxy's (kernel chains of its iptables mode, 1.37).
 *
 * Left out on purpose: KUBE-FIREWALL, which kubelet shares and which is only needed with `route_localnet`, never set
 * here (CVE-2020-8558).
 */
import { clusterIPsCheckChains, clusterIPsCheckRules, clusterIPsRejectChains } from '../../engine/clusterIPsCheck.ts';
import {
  canaryChains,
  externalServices,
  firewall,
  forwardChain,
  markChain,
  nodePorts,
  postroutingChain,
  services,
} from '../../engine/kubeChains.ts';
import type { RulesContext } from '../../engine/serviceRules/context.ts';
import type { DispatchPlan } from '../../engine/serviceRules/plan.ts';
import { jumps } from './owned.ts';
import type { Match, Rule } from '../../../netfilter/xtables/rule.ts';
import { comment, jumpTo, localDestination, notTo, to } from '../../../netfilter/xtables/rule.ts';

/** The fixed chains, and the dispatch chains with the rules that stay behind those of the Services. */
export function planFixed(context: RulesContext): DispatchPlan {
  return {
    jumps,
    chains: [
      forwardChain(context),
      ...clusterIPsRejectChains(context),
      postroutingChain(context),
      markChain(context),
      ...canaryChains,
    ],
    dispatch: [
      ...clusterIPsCheckChains(context),
      { table: 'filter', name: services, rules: clusterIPsCheckRules(context) },
      { table: 'filter', name: externalServices, rules: [] },
      { table: 'filter', name: nodePorts, rules: [] },
      { table: 'filter', name: firewall, rules: [] },
      { table: 'nat', name: nodePorts, rules: [] },
      { table: 'nat', name: services, rules: nodePortRules(context) },
    ],
  };
}

const nodePortsComment = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain');

function nodePortRules({ nodePortNetworks, loopback }: RulesContext): readonly Rule[] {
  if (nodePortNetworks === 'all') return [leadToNodePorts(localDestination, notTo(loopback))];
  // The kernel knows which addresses inside a network are the node's, also those it gets later.
  return nodePortNetworks.map((network) =>
    network.includes('/') ? leadToNodePorts(to(network), localDestination) : leadToNodePorts(to(network)),
  );
}

function leadToNodePorts(...matches: readonly Match[]): Rule {
  return { matches: [nodePortsComment, ...matches], target: jumpTo(nodePorts) };
}
