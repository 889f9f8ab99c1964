/**
 * One Service port in the terms of iptables: its own chains, and the rules in the shared chains that lead to them.
 */
import {
  type Endpoint,
  type ServicePort,
  isExternallyReachable,
  servicePortName,
  socketAddress,
} from '../../../model/servicePort.ts';
import { cidrContains } from '../../../model/ipFamily.ts';
import type { RulesContext } from './context.ts';
import type { Chain, Table } from '../../../netfilter/xtables/chain.ts';
import { externalServices, firewall, markMasquerade, nodePorts, services } from '../kubeChains.ts';
import type { ServicePortChains } from './chainNames.ts';
import { servicePortChains } from './chainNames.ts';
import { type Balancer, type EndpointRulesShape, planBalancers } from './endpointRules.ts';
import type { Match, Rule, Target } from '../../../netfilter/xtables/rule.ts';
import { comment, from, jumpTo, localDestination, localSource, to } from '../../../netfilter/xtables/rule.ts';

export interface ServicePortRules {
  /** Endpoint chains first: what is referred to comes before what refers to it. */
  readonly chains: readonly Chain[];
  readonly dispatch: readonly DispatchRule[];
  /** Number of endpoints that the chains lead to. */
  readonly endpoints: number;
}

/** A rule in a chain that all Services share. */
export interface DispatchRule {
  readonly table: Table;
  readonly chain: string;
  readonly rule: Rule;
}

/** What is decided once about a Service port and read by everything below. */
interface Subject {
  readonly port: ServicePort;
  readonly context: RulesContext;
  readonly name: string;
  readonly chains: ServicePortChains;
  /** Anywhere: without any, traffic is refused; with some, but none that the policy allows, it is dropped. */
  readonly hasEndpoints: boolean;
  readonly internalChain: string | undefined;
  readonly externalChain: string | undefined;
  readonly isExternal: boolean;
  readonly hasFirewall: boolean;
}

/** Order is that of the kernel. */
export function planServicePort(
  port: ServicePort,
  context: RulesContext,
  shape: EndpointRulesShape = {},
): ServicePortRules {
  const subject = describe(port, context);
  const dispatch = [...filterDispatch(subject), ...(subject.hasEndpoints ? natDispatch(subject) : [])];
  return subject.hasEndpoints ? { ...ownChains(subject, shape), dispatch } : { chains: [], dispatch, endpoints: 0 };
}

function describe(port: ServicePort, context: RulesContext): Subject {
  const chains = servicePortChains(port);
  const hasEndpoints = port.clusterEndpoints.length > 0;
  const chainFor = (policy: ServicePort['internalTrafficPolicy']): string | undefined => {
    if (policy === 'Cluster') return hasEndpoints ? chains.cluster : undefined;
    return port.localEndpoints.length > 0 ? chains.local : undefined;
  };
  return {
    port,
    context,
    name: servicePortName(port),
    chains,
    hasEndpoints,
    internalChain: chainFor(port.internalTrafficPolicy),
    externalChain: chainFor(port.externalTrafficPolicy),
    isExternal: isExternallyReachable(port),
    hasFirewall: hasEndpoints && port.loadBalancerIPs.length > 0 && port.restrictsSources,
  };
}

/** Matches packets to one of the Service's addresses. */
function frontend({ port }: Subject, address: string): readonly Match[] {
  return [to(address), { kind: 'destinationPort', protocol: port.protocol, port: port.port }];
}

function nodePortMatch({ port }: Subject): Match {
  return { kind: 'destinationPort', protocol: port.protocol, port: port.nodePort };
}

function natDispatch(subject: Subject): readonly DispatchRule[] {
  const { port, name, chains, internalChain, hasFirewall } = subject;
  const lead = (address: string, kind: string, chain: string): DispatchRule => ({
    table: 'nat',
    chain: services,
    rule: { matches: [comment(`${name} ${kind}`), ...frontend(subject, address)], target: jumpTo(chain) },
  });
  const nodePort: DispatchRule = {
    table: 'nat',
    chain: nodePorts,
    rule: { matches: [comment(name), nodePortMatch(subject)], target: jumpTo(chains.external) },
  };
  return [
    ...(internalChain === undefined ? [] : [lead(port.clusterIP, 'cluster IP', internalChain)]),
    ...port.externalIPs.map((address) => lead(address, 'external IP', chains.external)),
    ...port.loadBalancerIPs.map((address) =>
      lead(address, 'loadbalancer IP', hasFirewall ? chains.firewall : chains.external),
    ),
    ...(port.nodePort === 0 ? [] : [nodePort]),
  ];
}

/** Everything that no nat rule took away from its Service address: refused, dropped, or the health check's. */
function filterDispatch(subject: Subject): readonly DispatchRule[] {
  const { port, name, chains, internalChain, externalChain, isExternal, hasFirewall } = subject;
  const rule = (chain: string, text: string, matches: readonly Match[], target: Target): DispatchRule => ({
    table: 'filter',
    chain,
    rule: { matches: [comment(`${name} ${text}`), ...matches], target },
  });
  const { text, target } = refusal(subject);
  const outside = [
    ...[...port.externalIPs, ...port.loadBalancerIPs].map((address) => frontend(subject, address)),
    ...(port.nodePort === 0 ? [] : [[localDestination, nodePortMatch(subject)]]),
  ];
  const healthCheck: Match = { kind: 'destinationPort', protocol: 'TCP', port: port.healthCheckNodePort };
  return [
    ...(internalChain === undefined ? [rule(services, text, frontend(subject, port.clusterIP), target)] : []),
    ...(isExternal && externalChain === undefined
      ? outside.map((matches) => rule(externalServices, text, matches, target))
      : []),
    ...(port.healthCheckNodePort === 0
      ? []
      : [rule(nodePorts, 'health check node port', [healthCheck], { kind: 'ACCEPT' })]),
    ...(hasFirewall
      ? port.loadBalancerIPs.map((address) =>
          rule(firewall, `traffic not accepted by ${chains.firewall}`, frontend(subject, address), { kind: 'DROP' }),
        )
      : []),
  ];
}

/**
 * A client of TCP on this node would heed ICMPv6 only when it sends its SYN again, a second later
 * (docs/adr/0006-refuse-ipv6-by-reset.md).
 */
function refusal({ hasEndpoints, port, context }: Subject): { readonly text: string; readonly target: Target } {
  if (hasEndpoints) return { text: 'has no local endpoints', target: { kind: 'DROP' } };
  const byReset = context.family === 'ipv6' && port.protocol === 'TCP';
  return { text: 'has no endpoints', target: { kind: byReset ? 'resetTcp' : 'REJECT' } };
}

function ownChains(subject: Subject, shape: EndpointRulesShape): Omit<ServicePortRules, 'dispatch'> {
  const { port, chains, internalChain, externalChain, isExternal, hasFirewall } = subject;
  // Pods and the node itself short-circuit an external policy Local, so an external port needs the cluster's endpoints
  // as well.
  const usesCluster = isExternal || internalChain === chains.cluster;
  const usesLocal = internalChain === chains.local || (isExternal && externalChain === chains.local);
  const balancer = (chain: string, endpoints: readonly Endpoint[]): Balancer => ({
    chain,
    endpoints,
    before: chain === internalChain ? internalMasquerade(subject) : [],
  });
  const balancers = [
    ...(usesCluster ? [balancer(chains.cluster, port.clusterEndpoints)] : []),
    ...(usesLocal ? [balancer(chains.local, port.localEndpoints)] : []),
  ];
  const used = new Set(balancers.flatMap(({ endpoints }) => endpoints.map(socketAddress)));
  return {
    chains: [
      ...planBalancers({ port, chains, balancers }, shape),
      ...(isExternal ? [nat(chains.external, externalRules(subject))] : []),
      ...(hasFirewall ? [nat(chains.firewall, firewallRules(subject))] : []),
    ],
    endpoints: used.size,
  };
}

function nat(name: string, rules: readonly Rule[]): Chain {
  return { table: 'nat', name, rules };
}

/** Whoever is not a pod may be routed to the cluster IP through this node; the answer must come back through it. */
function internalMasquerade(subject: Subject): readonly Rule[] {
  const { port, name, context } = subject;
  if (!context.masqueradeAll && context.podTraffic === undefined) return [];
  const outsiders = context.masqueradeAll || context.podTraffic === undefined ? [] : [context.podTraffic.isNotPod];
  return [
    {
      matches: [comment(`${name} cluster IP`), ...frontend(subject, port.clusterIP), ...outsiders],
      target: jumpTo(markMasquerade),
    },
  ];
}

function externalRules(subject: Subject): readonly Rule[] {
  const { port, name, externalChain, chains, context } = subject;
  const rule = (text: string, matches: readonly Match[], chain: string): Rule => ({
    matches: [comment(`${text} for ${name} external destinations`), ...matches],
    target: jumpTo(chain),
  });
  const policyRules =
    port.externalTrafficPolicy === 'Cluster'
      ? [rule('masquerade traffic', [], markMasquerade)]
      : [
          ...(context.podTraffic === undefined
            ? []
            : [rule('pod traffic', [context.podTraffic.isPod], chains.cluster)]),
          rule('masquerade LOCAL traffic', [localSource], markMasquerade),
          rule('route LOCAL traffic', [localSource], chains.cluster),
        ];
  return externalChain === undefined ? policyRules : [...policyRules, { matches: [], target: jumpTo(externalChain) }];
}

function firewallRules({ port, name, chains, context }: Subject): readonly Rule[] {
  const { loadBalancerSourceRanges: ranges, loadBalancerIPs } = port;
  const allow = (source: string): Rule => ({
    matches: [comment(`${name} loadbalancer IP`), from(source)],
    target: jumpTo(chains.external),
  });
  const { nodeAddress } = context;
  // Where the address stands on an interface of the node, the node's own packets to it carry it as their source.
  const allowsNode = nodeAddress !== undefined && ranges.some((range) => cidrContains(range, nodeAddress));
  return [
    ...ranges.map(allow),
    ...(allowsNode ? loadBalancerIPs.map(allow) : []),
    { matches: [comment(`other traffic to ${name} will be dropped by KUBE-PROXY-FIREWALL`)] },
  ];
}
