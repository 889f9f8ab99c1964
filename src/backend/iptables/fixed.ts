/**
 * What stands in the kernel whatever the Services are: chains of ours, the jumps that lead to them, and the canaries. Names, comments
 * and order are kube-proxy's (kernel chains of its iptables mode, 1.36).
 *
 * Left out on purpose: KUBE-FIREWALL, which kubelet shares and which is only needed with `route_localnet`, never set here (CVE-2020-8558).
 */
import type { PlanContext } from './context.ts';
import { isServiceChain } from './names.ts';
import type { Match, Rule } from './rule.ts';
import { comment, jumpTo, localDestination, notTo, to } from './rule.ts';

export type Table = 'filter' | 'nat' | 'mangle';

export interface Chain {
  readonly table: Table;
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** A rule in a chain of the kernel's that leads to one of ours; put in front of whatever stands there. */
export interface Jump {
  readonly table: Table;
  readonly from: 'INPUT' | 'FORWARD' | 'OUTPUT' | 'PREROUTING' | 'POSTROUTING';
  readonly to: string;
  /** Only for the first packet of a connection. */
  readonly onlyNew: boolean;
  readonly comment: string;
}

export interface FixedPlan {
  /** In the order of insertion: the last one inserted is looked at first. */
  readonly jumps: readonly Jump[];
  readonly chains: readonly Chain[];
  /** Chains that the Services' rules are put into; the rules here come after them. What is referred to comes first. */
  readonly dispatch: readonly Chain[];
}

export const markMasquerade = 'KUBE-MARK-MASQ';
export const canary = 'KUBE-PROXY-CANARY';
export const services = 'KUBE-SERVICES';
export const externalServices = 'KUBE-EXTERNAL-SERVICES';
export const nodePorts = 'KUBE-NODEPORTS';
export const firewall = 'KUBE-PROXY-FIREWALL';
const forward = 'KUBE-FORWARD';
const postrouting = 'KUBE-POSTROUTING';

export const fixedChainNames: { readonly [table in Table]: readonly string[] } = {
  filter: [services, externalServices, nodePorts, firewall, forward, canary],
  nat: [services, nodePorts, postrouting, markMasquerade, canary],
  mangle: [canary],
};

export const jumps: readonly Jump[] = [
  ...filterJumps(['INPUT', 'FORWARD'], { to: externalServices, onlyNew: true, comment: 'kubernetes externally-visible service portals' }),
  ...filterJumps(['INPUT'], { to: nodePorts, onlyNew: false, comment: 'kubernetes health check service ports' }),
  ...filterJumps(['FORWARD', 'OUTPUT'], { to: services, onlyNew: true, comment: 'kubernetes service portals' }),
  ...filterJumps(['FORWARD'], { to: forward, onlyNew: false, comment: 'kubernetes forwarding rules' }),
  ...filterJumps(['INPUT', 'OUTPUT', 'FORWARD'], { to: firewall, onlyNew: true, comment: 'kubernetes load balancer firewall' }),
  { table: 'nat', from: 'OUTPUT', to: services, onlyNew: false, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'PREROUTING', to: services, onlyNew: false, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'POSTROUTING', to: postrouting, onlyNew: false, comment: 'kubernetes postrouting rules' },
];

function filterJumps(hooks: readonly Jump['from'][], jump: Omit<Jump, 'table' | 'from'>): readonly Jump[] {
  return hooks.map((from): Jump => Object.assign({ table: 'filter', from } as const, jump));
}

export function planFixed(context: PlanContext): FixedPlan {
  return {
    jumps,
    chains: [forwardChain(context), postroutingChain(context), markChain(context), ...canaryChains],
    dispatch: [
      { table: 'filter', name: services, rules: [] },
      { table: 'filter', name: externalServices, rules: [] },
      { table: 'filter', name: nodePorts, rules: [] },
      { table: 'filter', name: firewall, rules: [] },
      { table: 'nat', name: nodePorts, rules: [] },
      { table: 'nat', name: services, rules: nodePortRules(context) },
    ],
  };
}

/** `iptables -F` leaves empty chains standing, so the canary is not the chain but the rule in it. */
const canaryChains: readonly Chain[] = (['mangle', 'nat', 'filter'] as const).map((table) => ({
  table,
  name: canary,
  rules: [{ matches: [comment('its loss tells that somebody flushed this table')], target: { kind: 'RETURN' } }],
}));

function forwardChain({ mark, tcpBeLiberal }: PlanContext): Chain {
  const dropInvalid: Rule = { matches: [{ kind: 'connectionState', states: ['INVALID'] }], target: { kind: 'DROP' } };
  const acceptMarked: Rule = { matches: [comment('kubernetes forwarding rules'), { kind: 'mark', mark }], target: { kind: 'ACCEPT' } };
  const acceptKnown: Rule = {
    matches: [comment('kubernetes forwarding conntrack rule'), { kind: 'connectionState', states: ['RELATED', 'ESTABLISHED'] }],
    target: { kind: 'ACCEPT' },
  };
  return { table: 'filter', name: forward, rules: [...(tcpBeLiberal ? [] : [dropInvalid]), acceptMarked, acceptKnown] };
}

/** The mark is taken off again, so that a packet that passes here twice (an overlay's outer packet) is not masqueraded twice. */
function postroutingChain({ mark }: PlanContext): Chain {
  return {
    table: 'nat',
    name: postrouting,
    rules: [
      { matches: [{ kind: 'mark', mark, negated: true }], target: { kind: 'RETURN' } },
      { matches: [], target: { kind: 'xorMark', mark } },
      { matches: [comment('kubernetes service traffic requiring SNAT')], target: { kind: 'masquerade' } },
    ],
  };
}

function markChain({ mark }: PlanContext): Chain {
  return { table: 'nat', name: markMasquerade, rules: [{ matches: [], target: { kind: 'orMark', mark } }] };
}

const nodePortsComment = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain');

function nodePortRules({ nodePortNetworks, loopback }: PlanContext): readonly Rule[] {
  if (nodePortNetworks === 'all') return [leadToNodePorts(localDestination, notTo(loopback))];
  // The kernel knows which addresses inside a network are the node's, also those it gets later.
  return nodePortNetworks.map((network) => (network.includes('/') ? leadToNodePorts(to(network), localDestination) : leadToNodePorts(to(network))));
}

function leadToNodePorts(...matches: readonly Match[]): Rule {
  return { matches: [nodePortsComment, ...matches], target: jumpTo(nodePorts) };
}

/** How a restarted agent recognises a chain of ours, or one of kube-proxy's that it takes over. */
export function isOwnChain({ table, name }: { readonly table: Table; readonly name: string }): boolean {
  return fixedChainNames[table].includes(name) || (table === 'nat' && isServiceChain(name));
}
