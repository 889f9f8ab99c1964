/**
 * The chains and jumps of ipvs mode, and how they are recognized in the kernel. Names are kube-proxy's, but for the
 * bridge.
 */
import type { ChainId, Jump, Table } from '../../../netfilter/xtables/chain.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import {
  canary,
  filterJumps,
  firewall,
  forward,
  markMasquerade,
  natJumps,
  postrouting,
  services,
} from '../../engine/kubeChains.ts';

export const nodePort = 'KUBE-NODE-PORT';
export const loadBalancer = 'KUBE-LOAD-BALANCER';
export const sourceRanges = 'KUBE-SOURCE-RANGES-FIREWALL';
export const accessFilter = 'KUBE-IPVS-FILTER';
/** What the addresses on kube-ipvs0 need while the rules of another mode serve beside them. */
export const bridge = 'KUBE-IPVS-DRAIN';
/** Of kube-proxy alone; we never make it. */
const kubeProxysOutFilter = 'KUBE-IPVS-OUT-FILTER';

const fixedChains: { readonly [table in Table]: readonly string[] } = {
  filter: [services, firewall, forward, canary, nodePort, sourceRanges, accessFilter, bridge, kubeProxysOutFilter],
  nat: [services, postrouting, markMasquerade, canary, nodePort, loadBalancer, bridge],
  mangle: [canary, firewall, sourceRanges],
};

export const jumps: readonly Jump[] = [
  ...filterJumps(['INPUT'], { to: accessFilter, onlyNew: false, comment: 'kubernetes ipvs access filter' }),
  ...filterJumps(['INPUT'], { to: nodePort, onlyNew: false, comment: 'kubernetes health check rules' }),
  ...filterJumps(['INPUT', 'FORWARD'], { to: firewall, onlyNew: false, comment: 'kube-proxy firewall rules' }),
  ...filterJumps(['FORWARD'], { to: forward, onlyNew: false, comment: 'kubernetes forwarding rules' }),
  // What the node itself sends, ip_vs leads on before filter sees it.
  { table: 'mangle', from: 'OUTPUT', to: firewall, onlyNew: false, comment: 'kube-proxy firewall rules' },
  ...natJumps,
];

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
  return fixedChains[table].includes(name);
}

/**
 * Whether the rules of this mode lead packets. nat, which takes traffic over, is written last, and of its chains only
 * this mode has KUBE-LOAD-BALANCER; it may stand empty because somebody else's rule leads there. KUBE-IPVS-FILTER says
 * nothing of it: it stands before the first address does.
 */
export function isServing({ chains }: TablesView): boolean {
  return (chains.get({ table: 'nat', name: loadBalancer })?.rules ?? 0) > 0;
}
