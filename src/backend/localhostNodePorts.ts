/**
 * Whether a configuration asks for NodePorts on loopback addresses, which no mode serves.
 *
 * kube-proxy serves them in iptables mode by `route_localnet`, which opens all that listens on 127.0.0.1 to neighbors of
 * the node (CVE-2020-8558), and since 1.37 in nftables mode by a relay of its own. Ours never sets the former, and has
 * no relay.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { Refusal } from './backend.ts';

/** Undefined where the configuration does not say `localhost`; a network such as 127.0.0.0/8 selects nothing instead. */
export function refusalOfLocalhost({ nodePorts }: Pick<NodeConfig, 'nodePorts'>): Refusal | undefined {
  const index = nodePorts?.addresses?.indexOf('localhost') ?? -1;
  if (index < 0) return undefined;
  return {
    reason: 'LocalhostNotServed',
    message: `spec.nodePorts.addresses[${index}] is localhost, and this agent serves NodePorts on no loopback address (CVE-2020-8558); remove localhost, and ask for the Service at its cluster IP or at the node's address`,
  };
}
