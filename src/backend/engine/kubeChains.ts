/**
 * The chains and jumps that every mode with iptables rules has. Names, comments and order are kube-proxy's, so that a
 * mode takes over what another one, or kube-proxy, left.
 */
import type { Chain, Jump } from '../../netfilter/xtables/chain.ts';
import type { Rule } from '../../netfilter/xtables/rule.ts';
import { comment, newConnection } from '../../netfilter/xtables/rule.ts';

export const markMasquerade = 'KUBE-MARK-MASQ';
export const canary = 'KUBE-PROXY-CANARY';
export const services = 'KUBE-SERVICES';
export const externalServices = 'KUBE-EXTERNAL-SERVICES';
export const nodePorts = 'KUBE-NODEPORTS';
export const firewall = 'KUBE-PROXY-FIREWALL';
export const forward = 'KUBE-FORWARD';
export const postrouting = 'KUBE-POSTROUTING';
/** Named after the chain of kube-proxy's nftables mode, `cluster-ips-check`; its iptables mode has nothing like it. */
export const clusterIPsCheck = 'KUBE-CLUSTER-IPS-CHECK';
export const clusterIPsReject = 'KUBE-CLUSTER-IPS-REJECT';
/** Holds rules that are tried out; there only while a Service that the kernel refuses is searched for. */
export const trial = 'KUBE-PROXY-TRIAL';

/** What a packet is marked for is done to it at the end. Programs that map host ports lead to the mark, too. */
export const completedBy: ReadonlyMap<string, string> = new Map([[markMasquerade, postrouting]]);

export const natJumps: readonly Jump[] = [
  { table: 'nat', from: 'OUTPUT', to: services, onlyNew: false, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'PREROUTING', to: services, onlyNew: false, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'POSTROUTING', to: postrouting, onlyNew: false, comment: 'kubernetes postrouting rules' },
];

/** The same jump from several of the chains of filter. */
export function filterJumps(hooks: readonly Jump['from'][], jump: Omit<Jump, 'table' | 'from'>): readonly Jump[] {
  return hooks.map((from): Jump => Object.assign({ table: 'filter', from } as const, jump));
}

/** Refusals of cluster IPs, where no rule of nat took the packet away from them. */
export const servicesJumps = filterJumps(['FORWARD', 'OUTPUT'], {
  to: services,
  onlyNew: true,
  comment: 'kubernetes service portals',
});

/** Refusals of frontends that the outside world sees, where no rule of nat took the packet away from them. */
export const externalServicesJumps = filterJumps(['INPUT', 'FORWARD'], {
  to: externalServices,
  onlyNew: true,
  comment: 'kubernetes externally-visible service portals',
});

/** Drops what source ranges do not admit. */
export const firewallJumps = filterJumps(['INPUT', 'OUTPUT', 'FORWARD'], {
  to: firewall,
  onlyNew: true,
  comment: 'kubernetes load balancer firewall',
});

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

interface Masquerading {
  /** One bit of a packet's mark: 2 ** `masquerade.bit`. */
  readonly mark: number;
}

/**
 * What was marked gets the node's address as its source; `first` goes before. The mark is taken off again, so that a
 * packet that passes here twice (an overlay's outer packet) is not masqueraded twice.
 */
export function postroutingChain({ mark }: Masquerading, first: readonly Rule[] = []): Chain {
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

interface Forwarding extends Masquerading {
  readonly tcpBeLiberal: boolean;
}

/**
 * Lets marked and established connections through. A packet that connection tracking takes for none of its own is not
 * translated back; a client that saw it would reset its connection (kubernetes/kubernetes#74839), so it is dropped.
 */
export function forwardChain({ mark, tcpBeLiberal }: Forwarding): Chain {
  const dropInvalid: Rule = { matches: [{ kind: 'connectionState', states: ['INVALID'] }], target: { kind: 'DROP' } };
  const acceptMarked: Rule = {
    matches: [comment('kubernetes forwarding rules'), { kind: 'mark', mark }],
    target: { kind: 'ACCEPT' },
  };
  const acceptKnown: Rule = {
    matches: [
      comment('kubernetes forwarding conntrack rule'),
      { kind: 'connectionState', states: ['RELATED', 'ESTABLISHED'] },
    ],
    target: { kind: 'ACCEPT' },
  };
  return { table: 'filter', name: forward, rules: [...(tcpBeLiberal ? [] : [dropInvalid]), acceptMarked, acceptKnown] };
}

/** Marks a packet for masquerading. */
export function markChain({ mark }: Masquerading): Chain {
  return { table: 'nat', name: markMasquerade, rules: [{ matches: [], target: { kind: 'orMark', mark } }] };
}
