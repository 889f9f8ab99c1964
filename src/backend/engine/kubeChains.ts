/**
 * @module What every mode that leans on iptables shares: the terms of chains and jumps, the chains that all of them
 * have, and how anything of ours is recognized in the kernel, whichever mode put it there. So a mode that starts where
 * another one (or kube-proxy) ran takes its chains over or away.
 */
import type { PlanContext } from './planContext.ts';
import { isServiceChain } from '../iptables/plan/chainNames.ts';
import type { Rule } from '../../netfilter/xtables/rule.ts';
import { comment, newConnection } from '../../netfilter/xtables/rule.ts';

export type Table = 'filter' | 'nat' | 'mangle';

/** A chain of one name may stand in several tables. */
export interface ChainId {
  readonly table: Table;
  readonly name: string;
}

export interface Chain extends ChainId {
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
export const forward = 'KUBE-FORWARD';
/** Holds rules that are tried out; there only while a Service that the kernel refuses is searched for. */
export const trial = 'KUBE-PROXY-TRIAL';
const postrouting = 'KUBE-POSTROUTING';
/** Of ipvs mode, named as kube-proxy names them. */
export const ipvs = {
  nodePort: 'KUBE-NODE-PORT',
  loadBalancer: 'KUBE-LOAD-BALANCER',
  sourceRanges: 'KUBE-SOURCE-RANGES-FIREWALL',
  filter: 'KUBE-IPVS-FILTER',
} as const;
/** Of ipvs mode too: what its addresses need while the rules of another mode serve beside them. */
export const bridge = 'KUBE-IPVS-DRAIN';
/** Of kube-proxy's ipvs mode alone; we never make it. */
const kubeProxysOutFilter = 'KUBE-IPVS-OUT-FILTER';

const fixedChainNames: { readonly [table in Table]: readonly string[] } = {
  filter: [
    services,
    externalServices,
    nodePorts,
    firewall,
    forward,
    canary,
    trial,
    ipvs.nodePort,
    ipvs.sourceRanges,
    ipvs.filter,
    bridge,
    kubeProxysOutFilter,
  ],
  nat: [services, nodePorts, postrouting, markMasquerade, canary, trial, ipvs.nodePort, ipvs.loadBalancer, bridge],
  mangle: [canary, firewall, ipvs.sourceRanges],
};

const natJumps: readonly Jump[] = [
  { table: 'nat', from: 'OUTPUT', to: services, onlyNew: false, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'PREROUTING', to: services, onlyNew: false, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'POSTROUTING', to: postrouting, onlyNew: false, comment: 'kubernetes postrouting rules' },
];

export const jumps: { readonly [owner in 'iptables' | 'ipvs' | 'bridge']: readonly Jump[] } = {
  iptables: [
    ...filterJumps(['INPUT', 'FORWARD'], {
      to: externalServices,
      onlyNew: true,
      comment: 'kubernetes externally-visible service portals',
    }),
    ...filterJumps(['INPUT'], { to: nodePorts, onlyNew: false, comment: 'kubernetes health check service ports' }),
    ...filterJumps(['FORWARD', 'OUTPUT'], { to: services, onlyNew: true, comment: 'kubernetes service portals' }),
    ...filterJumps(['FORWARD'], { to: forward, onlyNew: false, comment: 'kubernetes forwarding rules' }),
    ...filterJumps(['INPUT', 'OUTPUT', 'FORWARD'], {
      to: firewall,
      onlyNew: true,
      comment: 'kubernetes load balancer firewall',
    }),
    ...natJumps,
  ],
  ipvs: [
    ...filterJumps(['INPUT'], { to: ipvs.filter, onlyNew: false, comment: 'kubernetes ipvs access filter' }),
    ...filterJumps(['INPUT'], { to: ipvs.nodePort, onlyNew: false, comment: 'kubernetes health check rules' }),
    ...filterJumps(['INPUT', 'FORWARD'], { to: firewall, onlyNew: false, comment: 'kube-proxy firewall rules' }),
    ...filterJumps(['FORWARD'], { to: forward, onlyNew: false, comment: 'kubernetes forwarding rules' }),
    // What the node itself sends, ip_vs leads on before filter sees it.
    { table: 'mangle', from: 'OUTPUT', to: firewall, onlyNew: false, comment: 'kube-proxy firewall rules' },
    ...natJumps,
  ],
  bridge: [
    ...filterJumps(['INPUT'], { to: bridge, onlyNew: false, comment: 'kubernetes ipvs access filter' }),
    {
      table: 'nat',
      from: 'POSTROUTING',
      to: bridge,
      onlyNew: false,
      comment: 'kubernetes ipvs service addresses as sources',
    },
  ],
};

function filterJumps(hooks: readonly Jump['from'][], jump: Omit<Jump, 'table' | 'from'>): readonly Jump[] {
  return hooks.map((from): Jump => Object.assign({ table: 'filter', from } as const, jump));
}

/** The jumps of all modes, to find those of a mode that ran before. */
export const allJumps: readonly Jump[] = [...jumps.iptables, ...jumps.ipvs, ...jumps.bridge];

/**
 * `iptables -F` leaves empty chains standing, so the canary is not the chain but the rule in it. The one in mangle asks
 * for connection tracking: while it stands the kernel keeps its hooks, also when for a moment no other rule asks;
 * without them, open connections stall.
 */
export const canaryChains: readonly Chain[] = (['mangle', 'nat', 'filter'] as const).map((table) => ({
  table,
  name: canary,
  rules: [
    {
      matches: [
        ...(table === 'mangle' ? [newConnection] : []),
        comment('its loss tells that somebody flushed this table'),
      ],
      target: { kind: 'RETURN' },
    },
  ],
}));

/**
 * What was marked gets the node's address as its source; `first` goes before. The mark is taken off again, so that a
 * packet that passes here twice (an overlay's outer packet) is not masqueraded twice.
 */
export function postroutingChain({ mark }: PlanContext, first: readonly Rule[] = []): Chain {
  return {
    table: 'nat',
    name: postrouting,
    rules: [
      ...first,
      { matches: [{ kind: 'mark', mark, negated: true }], target: { kind: 'RETURN' } },
      { matches: [], target: { kind: 'xorMark', mark } },
      { matches: [comment('kubernetes service traffic requiring SNAT')], target: { kind: 'masquerade' } },
    ],
  };
}

/** Marks a packet for masquerading. */
export function markChain({ mark }: PlanContext): Chain {
  return { table: 'nat', name: markMasquerade, rules: [{ matches: [], target: { kind: 'orMark', mark } }] };
}

/** How a restarted agent recognizes a chain of ours, or one of kube-proxy's that it takes over. */
export function isOwnChain({ table, name }: ChainId): boolean {
  return fixedChainNames[table].includes(name) || (table === 'nat' && isServiceChain(name));
}
