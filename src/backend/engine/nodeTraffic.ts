/**
 * What the objects of Services depend on besides the Services: the node's configuration and the node itself. Data
 * alone: how a mode tells by it who is a pod is the mode's.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { ClusterIPRanges } from '../../model/clusterIPRanges.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import { cidrContains, familyOf } from '../../model/ipFamily.ts';
import type { NodeRecord } from '../../model/node.ts';
import { declaredAddresses } from '../../model/nodeAddresses.ts';
import { loopbackNetwork, type NodePortNetworks, nodePortNetworks } from '../../model/nodePortAddresses.ts';
import type { ServiceState } from '../../model/serviceState.ts';

export interface PlanContext {
  readonly family: IPFamily;
  /** One bit of a packet's mark: 2 ** `masquerade.bit`. */
  readonly mark: number;
  readonly masqueradeAll: boolean;
  readonly tcpBeLiberal: boolean;
  /** By what packets of this node's or the cluster's own pods are recognized; undefined without a detector. */
  readonly pods: PodSource | undefined;
  /** Sorted, without loopback ones: `route_localnet` is never set (CVE-2020-8558). */
  readonly nodePortNetworks: NodePortNetworks;
  /** A network. */
  readonly loopback: string;
  /** The node's first address of the family. */
  readonly nodeAddress: string | undefined;
  readonly clusterIPRanges: ClusterIPRanges;
}

/** Pods have a source address in this network, or come by this interface, or one whose name begins so. */
export type PodSource = { readonly network: string } | { readonly interface: string; readonly isPrefix: boolean };

/** What every Service's objects depend on. */
export type Surroundings = Pick<ServiceState, 'config' | 'node' | 'family' | 'clusterIPRanges'>;

/**
 * What the objects of one family depend on. `defaultNodePortAddresses`: as `nodePorts.addresses`, for a configuration
 * without; the mode's own.
 */
export function planContext(
  { config, node, family, clusterIPRanges }: Surroundings,
  defaultNodePortAddresses: readonly string[] = ['all'],
): PlanContext {
  const [nodeAddress] = declaredAddresses(node, family);
  const networks = nodePortNetworks(config.nodePorts?.addresses ?? defaultNodePortAddresses, nodeAddress, family);
  return {
    family,
    mark: 2 ** config.masquerade.bit,
    masqueradeAll: config.masquerade.all,
    tcpBeLiberal: config.conntrack.tcpBeLiberal,
    pods: config.localTraffic && detectors[config.localTraffic.detect](config.localTraffic, node, family),
    nodePortNetworks: withoutLoopback(networks, family),
    loopback: loopbackNetwork(family),
    nodeAddress,
    clusterIPRanges,
  };
}

/** Equal for equal rules of equal Services: when it changes, every Service has to be planned again. */
export function planScope({ config, node, family, clusterIPRanges }: Surroundings): string {
  return JSON.stringify([family, config, node.name, node.zone, node.addresses, node.podCIDRs, clusterIPRanges]);
}

type Detector = NonNullable<NodeConfig['localTraffic']>;

const detectors: Record<
  Detector['detect'],
  (detector: Detector, node: NodeRecord, family: IPFamily) => PodSource | undefined
> = {
  ClusterCIDR: (detector, _node, family) => fromNetwork(detector.clusterCIDRs ?? [], family),
  NodeCIDR: (_detector, node, family) => fromNetwork(node.podCIDRs, family),
  BridgeInterface: (detector) => fromInterface(detector.interface, false),
  InterfaceNamePrefix: (detector) => fromInterface(detector.interface, true),
};

/** The longest name there can be (IFNAMSIZ) is the beginning of no other. */
const maxInterfaceName = 15;

/**
 * A network that holds every address distinguishes nobody, and iptables-nft takes no rule about addresses outside of
 * it.
 */
function fromNetwork(networks: readonly string[], family: IPFamily): PodSource | undefined {
  const network = networks.find((each) => familyOf(each) === family);
  if (network === undefined || network.endsWith('/0')) return undefined;
  return { network };
}

function fromInterface(name: string | undefined, isPrefix: boolean): PodSource | undefined {
  if (name === undefined) return undefined;
  return { interface: name, isPrefix: isPrefix && name.length < maxInterfaceName };
}

function withoutLoopback(networks: NodePortNetworks, family: IPFamily): NodePortNetworks {
  if (networks === 'all') return networks;
  const isLoopback = (network: string): boolean => cidrContains(loopbackNetwork(family), network.split('/')[0] ?? '');
  return networks.filter((network) => !isLoopback(network)).sort();
}
