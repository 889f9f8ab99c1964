/**
 * The few iptables rules of what ip_vs serves, the same for any number of Services: who is masqueraded, who is kept
 * out. Shapes and names are kube-proxy's (ipvs mode, 1.37); where they differ, docs/adr says why. They stand behind the
 * rules of frontends that ip_vs does not serve (`externalRules.ts`).
 */
import type { Chain } from '../../../netfilter/xtables/chain.ts';
import type { FixedPlan } from '../../../netfilter/xtables/fixedChains.ts';
import { clusterIPsCheckChains, clusterIPsCheckRules, hasClusterIPsCheck } from '../../engine/clusterIPsCheck.ts';
import {
  canaryChains,
  externalServices,
  firewall,
  forwardChain,
  markChain,
  markMasquerade,
  postroutingChain,
  services,
  servicesJumps,
} from '../../engine/kubeChains.ts';
import type { DispatchPlan } from '../../engine/serviceRules/plan.ts';
import { accessFilter, bridge, bridgeJumps, jumps, nodePort } from './owned.ts';
import type { Match, Rule, Target } from '../../../netfilter/xtables/rule.ts';
import {
  comment,
  from,
  inSet,
  jumpTo,
  localDestination,
  localSource,
  newConnection,
} from '../../../netfilter/xtables/rule.ts';
import type { IpvsContext } from './context.ts';
import type { SetId } from './sets.ts';
import { setName } from './sets.ts';

type Side = 'src' | 'dst';

/** All rules of the mode in one IP family, but those of single Services. */
export function planRules(context: IpvsContext): DispatchPlan {
  return {
    jumps: hasClusterIPsCheck(context) ? [...jumps, ...servicesJumps] : jumps,
    chains: [
      markChain(context),
      postroutingChain(context, [hairpinRule(context)]),
      forwardChain(context),
      ownFirewallChain(context),
      healthCheckChain(context),
      filterChain(context),
      ...canaryChains,
    ],
    dispatch: [
      ...checkChains(context),
      { table: 'filter', name: externalServices, rules: [] },
      firewallChain(context),
      nodePortChain(context),
      servicesChain(context),
    ],
  };
}

/**
 * Cluster IPs of Services are the node's own here, and `filterChain` refuses their unused ports: what is left to check is
 * of no Service.
 */
function checkChains(context: IpvsContext): readonly Chain[] {
  const rules = clusterIPsCheckRules(context);
  return rules.length === 0 ? [] : [...clusterIPsCheckChains(context), { table: 'filter', name: services, rules }];
}

/** What must stand before any address does, so that no address ever opens the node's own ports. */
export function planAccessFilter(context: IpvsContext): FixedPlan {
  return { jumps: jumps.filter(({ to }) => to === accessFilter), chains: [filterChain(context)] };
}

/**
 * What keeps addresses on kube-ipvs0 harmless while another mode's rules serve: they open none of the node's own ports,
 * and the node's own connections, which have the Service's address as their source there, get one that every pod can
 * answer to.
 */
export function planBridge(context: OfFamily): FixedPlan {
  const answerable = rule(
    { kind: 'masquerade' },
    comment('Kubernetes service address as source'),
    member(context, 'KUBE-IPVS-IPS', 'src'),
  );
  return {
    jumps: bridgeJumps,
    chains: [
      { ...filterChain(context), name: bridge },
      { table: 'nat', name: bridge, rules: [answerable] },
    ],
  };
}

type OfFamily = Pick<IpvsContext, 'family'>;

/** A packet's sides, looked up in a set of this family. */
function member({ family }: OfFamily, set: SetId, ...sides: readonly Side[]): Match {
  return inSet(setName(set, family), ...sides);
}

function rule(target: Target, ...matches: readonly Match[]): Rule {
  return { matches, target };
}

const mark = jumpTo(markMasquerade);
const accept: Target = { kind: 'ACCEPT' };
const goBack: Target = { kind: 'RETURN' };
const drop: Target = { kind: 'DROP' };

/**
 * ACCEPT ends nat for a packet to a cluster IP: it is the node's own now, and others' rules for those must not have it.
 */
function servicesChain(context: IpvsContext): Chain {
  const clusterIP = member(context, 'KUBE-CLUSTER-IP', 'dst', 'dst');
  return {
    table: 'nat',
    name: services,
    rules: [
      rule(goBack, from(context.loopback)),
      clusterMasquerade(context, clusterIP),
      rule(accept, clusterIP),
      rule(jumpTo(nodePort), localDestination),
    ],
  };
}

/**
 * The node's own packets to its own addresses have the Service's address as their source, so they match
 * whatever distinguishes pods from others.
 */
function clusterMasquerade(context: IpvsContext, clusterIP: Match): Rule {
  const { masqueradeAll, podTraffic } = context;
  const purpose = comment('Kubernetes service cluster ip + port for masquerade purpose');
  if (masqueradeAll) return rule(mark, purpose, clusterIP);
  if (podTraffic !== undefined) return rule(mark, purpose, podTraffic.isNotPod, clusterIP);
  return rule(mark, purpose, member(context, 'KUBE-CLUSTER-IP', 'src', 'dst'));
}

/** Policy Local keeps a client's address; the node itself has none that another node could answer to. */
function localPolicy(...matches: readonly Match[]): readonly Rule[] {
  return [rule(mark, comment('masquerade LOCAL traffic'), ...matches, localSource)];
}

function nodePortChain(context: IpvsContext): Chain {
  const ports = (protocol: 'TCP' | 'UDP', all: SetId, local: SetId): readonly Rule[] => {
    const isProtocol: Match = { kind: 'protocol', protocol };
    const isLocal = member(context, local, 'dst');
    return [
      ...localPolicy(isProtocol, isLocal),
      rule(goBack, isProtocol, isLocal),
      rule(mark, isProtocol, member(context, all, 'dst')),
    ];
  };
  // The entries say SCTP themselves; a match on it would need a kernel module that many nodes lack.
  const sctpLocal = member(context, 'KUBE-NODE-PORT-LOCAL-SCTP-HASH', 'dst', 'dst');
  return {
    table: 'nat',
    name: nodePort,
    rules: [
      ...ports('TCP', 'KUBE-NODE-PORT-TCP', 'KUBE-NODE-PORT-LOCAL-TCP'),
      ...ports('UDP', 'KUBE-NODE-PORT-UDP', 'KUBE-NODE-PORT-LOCAL-UDP'),
      ...localPolicy(sctpLocal),
      rule(goBack, sctpLocal),
      rule(mark, member(context, 'KUBE-NODE-PORT-SCTP-HASH', 'dst', 'dst')),
    ],
  };
}

function hairpinRule(context: IpvsContext): Rule {
  return rule(
    { kind: 'masquerade' },
    comment('Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose'),
    member(context, 'KUBE-LOOP-BACK', 'dst', 'dst', 'src'),
  );
}

/** Policy Local without an endpoint here. */
function firewallChain(context: IpvsContext): Chain {
  const { podTraffic } = context;
  const away = member(context, 'KUBE-NO-LOCAL-EXTERNAL', 'dst', 'dst');
  return {
    table: 'filter',
    name: firewall,
    rules: [
      noLocalClusterIP(context),
      ...(podTraffic === undefined ? [] : [rule(goBack, comment('pods reach all endpoints'), podTraffic.isPod, away)]),
      rule(drop, comment('no local endpoints'), newConnection, away),
    ],
  };
}

/** The node itself reaches all endpoints of an external policy Local, as in iptables mode. */
function ownFirewallChain(context: IpvsContext): Chain {
  return { table: 'mangle', name: firewall, rules: [noLocalClusterIP(context)] };
}

function noLocalClusterIP(context: IpvsContext): Rule {
  const away = member(context, 'KUBE-NO-LOCAL-CLUSTER-IP', 'dst', 'dst');
  return rule(drop, comment('no local endpoints'), newConnection, away);
}

function healthCheckChain(context: IpvsContext): Chain {
  const ports = member(context, 'KUBE-HEALTH-CHECK-NODE-PORT', 'dst');
  return {
    table: 'filter',
    name: nodePort,
    rules: [rule(accept, comment('Kubernetes health check node port'), { kind: 'protocol', protocol: 'TCP' }, ports)],
  };
}

/** Those that the bridge asks. */
export const bridgeSets: readonly SetId[] = ['KUBE-CLUSTER-IP', 'KUBE-HEALTH-CHECK-NODE-PORT', 'KUBE-IPVS-IPS'];

/**
 * Cluster IPs stand on this node: a packet to a port that no Service has would reach whatever the node itself
 * runs there.
 */
function filterChain(context: OfFamily): Chain {
  return {
    table: 'filter',
    name: accessFilter,
    rules: [
      rule(goBack, member(context, 'KUBE-CLUSTER-IP', 'dst', 'dst')),
      rule(goBack, { kind: 'protocol', protocol: 'TCP' }, member(context, 'KUBE-HEALTH-CHECK-NODE-PORT', 'dst')),
      rule({ kind: 'REJECT' }, newConnection, member(context, 'KUBE-IPVS-IPS', 'dst')),
    ],
  };
}
