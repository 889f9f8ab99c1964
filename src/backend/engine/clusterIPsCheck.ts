/**
 * What becomes of a packet to a cluster IP that nothing translated: of a Service that is here, it is for a port that the
 * Service does not have, and is refused; of none, it is dropped, for the Service may have got the address a moment ago, and
 * a client that asks again may reach it (docs/adr/0021-unused-cluster-ips.md).
 *
 * ```
 * KUBE-SERVICES            -d RANGE, and no address of the node's own: KUBE-CLUSTER-IPS-CHECK
 * KUBE-CLUSTER-IPS-CHECK   -d the cluster IP of a Service, by a tree where they are many: KUBE-CLUSTER-IPS-REJECT
 *                          -d the cluster IP of a Service that another proxy serves: RETURN
 *                          DROP
 * ```
 *
 * All in filter, which sees new connections after nat, and for packets that leave the node or pass it alone.
 */
import type { ClusterIPRanges } from '../../model/clusterIPRanges.ts';
import { containsAddress, type IPFamily } from '../../model/ipFamily.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import type { Chain } from '../../netfilter/xtables/chain.ts';
import { comment, jumpTo, notLocalDestination, type Rule, to } from '../../netfilter/xtables/rule.ts';
import { clusterIPsCheck, clusterIPsReject } from './kubeChains.ts';
import type { DispatchRule } from './serviceRules/servicePortRules.ts';

interface Context {
  readonly family: IPFamily;
  readonly clusterIPRanges: ClusterIPRanges;
}

/** Whether there is anything to check. */
export function hasClusterIPsCheck({ clusterIPRanges }: Pick<Context, 'clusterIPRanges'>): boolean {
  return clusterIPRanges.networks.length > 0;
}

/** The rules of filter KUBE-SERVICES that stay behind those of Services. */
export function clusterIPsCheckRules({ clusterIPRanges }: Pick<Context, 'clusterIPRanges'>): readonly Rule[] {
  return clusterIPRanges.networks.map((network) => ({
    matches: [comment('kubernetes unused cluster IPs'), to(network), notLocalDestination],
    target: jumpTo(clusterIPsCheck),
  }));
}

/** Holds the rules of cluster IPs before these; none without ranges. */
export function clusterIPsCheckChains(context: Pick<Context, 'clusterIPRanges'>): readonly Chain[] {
  if (!hasClusterIPsCheck(context)) return [];
  const foreign = context.clusterIPRanges.foreign.map((address): Rule => ({
    matches: [comment('served by another proxy'), to(address)],
    target: { kind: 'RETURN' },
  }));
  const drop: Rule = { matches: [comment('cluster IPs of no Service')], target: { kind: 'DROP' } };
  return [{ table: 'filter', name: clusterIPsCheck, rules: [...foreign, drop] }];
}

/** Where rules of cluster IPs lead to; none without ranges. TCP over IPv6 as docs/adr/0006 has it. */
export function clusterIPsRejectChains(context: Context): readonly Chain[] {
  if (!hasClusterIPsCheck(context)) return [];
  const reset: Rule = { matches: [{ kind: 'protocol', protocol: 'TCP' }], target: { kind: 'resetTcp' } };
  const reject: Rule = { matches: [], target: { kind: 'REJECT' } };
  const rules = context.family === 'ipv6' ? [reset, reject] : [reject];
  return [{ table: 'filter', name: clusterIPsReject, rules }];
}

/** Gives the rule of a Service's cluster IP, for one of its ports; none where it is in no range. */
export function clusterIPRules({
  clusterIPRanges,
}: Pick<Context, 'clusterIPRanges'>): (port: ServicePort) => readonly DispatchRule[] {
  const isInRange = containsAddress(clusterIPRanges.networks);
  const target = jumpTo(clusterIPsReject);
  return ({ clusterIP }) =>
    isInRange(clusterIP)
      ? [{ table: 'filter', chain: clusterIPsCheck, rule: { matches: [to(clusterIP)], target } }]
      : [];
}
