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
import type { ServiceState } from '../../model/serviceState.ts';

export interface PlanContext {
  readonly family: IPFamily;
  /** One bit of a packet's mark: 2 ** `masquerade.bit`. */
  readonly mark: number;
  readonly masqueradeAll: boolean;
  readonly tcpBeLiberal: boolean;
  /** By what packets of this node's or the cluster's own pods are recognized; undefined without a detector. */
  readonly pods: PodSource | undefined;
  /** Canonical addresses and networks, or all of the node's addresses. */
  readonly nodePortNetworks: readonly string[] | 'all';
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

const loopbacks: { readonly [family in IPFamily]: string } = { ipv4: '127.0.0.0/8', ipv6: '::1/128' };

/**
 * What the objects of one family depend on. `defaultNodePortAddresses`: as `nodePorts.addresses`, for a configuration
 * without; the mode's own.
 */
export function planContext(
  { config, node, family, clusterIPRanges }: Surroundings,
  defaultNodePortAddresses: readonly string[] = [],
): PlanContext {
  const [nodeAddress] = declaredAddresses(node, family);
  return {
    family,
    mark: 2 ** config.masquerade.bit,
    masqueradeAll: config.masquerade.all,
    tcpBeLiberal: config.conntrack.tcpBeLiberal,
    pods: config.localTraffic && detectors[config.localTraffic.detect](config.localTraffic, node, family),
    nodePortNetworks: nodePortNetworks(config.nodePorts?.addresses ?? defaultNodePortAddresses, nodeAddress, family),
    loopback: loopbacks[family],
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

function nodePortNetworks(
  addresses: readonly string[],
  nodeAddress: string | undefined,
  family: IPFamily,
): PlanContext['nodePortNetworks'] {
  if (addresses.length === 0) return 'all';
  if (addresses.includes('primary')) return nodeAddress === undefined ? [] : [nodeAddress];
  const networks = addresses.filter((network) => familyOf(network) === family);
  if (networks.some((network) => network.endsWith('/0'))) return 'all';
  const isLoopback = (network: string): boolean => cidrContains(loopbacks[family], network.split('/')[0] ?? '');
  return networks.filter((network) => !isLoopback(network)).sort();
}
