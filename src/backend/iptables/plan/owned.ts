/**
 * The chains and jumps of iptables mode, and how they are recognized in the kernel. Names are kube-proxy's, but for the
 * buckets of the dispatch tree and the chain of trials.
 */
import type { ChainId, Jump, Table } from '../../../netfilter/xtables/chain.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import {
  canary,
  clusterIPsCheck,
  clusterIPsReject,
  externalServices,
  externalServicesJumps,
  filterJumps,
  firewall,
  firewallJumps,
  forward,
  markMasquerade,
  natJumps,
  nodePorts,
  postrouting,
  services,
  servicesJumps,
  trial,
} from '../../engine/kubeChains.ts';
import { isBucketChain, isServiceChain } from '../../engine/serviceRules/chainNames.ts';

const fixedChains: { readonly [table in Table]: readonly string[] } = {
  filter: [services, externalServices, nodePorts, firewall, forward, clusterIPsCheck, clusterIPsReject, canary, trial],
  nat: [services, nodePorts, postrouting, markMasquerade, canary, trial],
  mangle: [canary],
};

export const jumps: readonly Jump[] = [
  ...externalServicesJumps,
  ...filterJumps(['INPUT'], { to: nodePorts, onlyNew: false, comment: 'kubernetes health check service ports' }),
  ...servicesJumps,
  ...filterJumps(['FORWARD'], { to: forward, onlyNew: false, comment: 'kubernetes forwarding rules' }),
  ...firewallJumps,
  ...natJumps,
];

export function isOwn({ table, name }: ChainId): boolean {
  if (fixedChains[table].includes(name)) return true;
  return table === 'nat' ? isServiceChain(name) : table === 'filter' && isBucketChain(name);
}

/** Whether the rules of this mode lead packets: only it has nat KUBE-NODEPORTS. */
export function isServing({ chains }: TablesView): boolean {
  return chains.has({ table: 'nat', name: nodePorts });
}
