/**
 * The chains and jumps of ipvs mode, and how they are recognized in the kernel. Names are kube-proxy's, but for the
 * bridge.
 */
import type { ChainId, Jump, Table } from '../../../netfilter/xtables/chain.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import {
  canary,
  clusterIPsCheck,
  externalServices,
  externalServicesJumps,
  filterJumps,
  firewall,
  firewallJumps,
  forward,
  markMasquerade,
  natJumps,
  postrouting,
  services,
  trial,
} from '../../engine/kubeChains.ts';
import { isServiceChain } from '../../engine/serviceRules/chainNames.ts';

export const nodePort = 'KUBE-NODE-PORT';
export const accessFilter = 'KUBE-IPVS-FILTER';
/** What the addresses on kube-ipvs0 need while the rules of another mode serve beside them. */
export const bridge = 'KUBE-IPVS-DRAIN';
/** Of kube-proxy, and of agents before ADR 17; only taken away. */
const formerBalancer = 'KUBE-LOAD-BALANCER';
const formerSourceRanges = 'KUBE-SOURCE-RANGES-FIREWALL';
/** Of kube-proxy alone; we never made it. */
const kubeProxysOutFilter = 'KUBE-IPVS-OUT-FILTER';

const fixedChains: { readonly [table in Table]: readonly string[] } = {
  filter: [
    services,
    externalServices,
    firewall,
    forward,
    clusterIPsCheck,
    canary,
    trial,
    nodePort,
    accessFilter,
    bridge,
    formerSourceRanges,
    kubeProxysOutFilter,
  ],
  nat: [services, postrouting, markMasquerade, canary, trial, nodePort, bridge, formerBalancer],
  mangle: [canary, firewall, formerSourceRanges],
};

export const jumps: readonly Jump[] = [
  ...filterJumps(['INPUT'], { to: accessFilter, onlyNew: false, comment: 'kubernetes ipvs access filter' }),
  ...filterJumps(['INPUT'], { to: nodePort, onlyNew: false, comment: 'kubernetes health check rules' }),
  ...externalServicesJumps,
  ...firewallJumps,
  ...filterJumps(['FORWARD'], { to: forward, onlyNew: false, comment: 'kubernetes forwarding rules' }),
  // What the node itself sends, ip_vs leads on before filter sees it.
  { table: 'mangle', from: 'OUTPUT', to: firewall, onlyNew: false, comment: 'kube-proxy firewall rules' },
  ...natJumps,
];

/** Of kube-proxy, and of agents before ADR 17; only taken away. */
export const formerJumps: readonly Jump[] = filterJumps(['INPUT', 'FORWARD'], {
  to: firewall,
  onlyNew: false,
  comment: 'kube-proxy firewall rules',
});

export const bridgeJumps: readonly Jump[] = [
  ...filterJumps(['INPUT'], { to: bridge, onlyNew: false, comment: 'kubernetes ipvs access filter' }),
  {
    table: 'nat',
    from: 'POSTROUTING',
    to: bridge,
    onlyNew: false,
    comment: 'kubernetes ipvs service addresses as sources',
  },
];

export function isOwn({ table, name }: ChainId): boolean {
  return fixedChains[table].includes(name) || (table === 'nat' && isServiceChain(name));
}

/**
 * Whether the rules of this mode lead packets. nat, which takes traffic over, is written last, KUBE-NODE-PORT with the
 * dispatch, and of its chains only this mode has that one; it may stand empty because somebody else's rule leads there.
 * (kube-proxy fills it with the first NodePort, and KUBE-LOAD-BALANCER always.) KUBE-IPVS-FILTER says nothing of it: it
 * stands before the first address does.
 */
export function isServing({ chains }: TablesView): boolean {
  return [nodePort, formerBalancer].some((name) => (chains.get({ table: 'nat', name })?.rules ?? 0) > 0);
}
