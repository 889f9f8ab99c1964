/**
 * What the rules depend on besides the Services: the node's configuration and the node itself, in the terms of
 * iptables.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import { cidrContains, familyOf } from '../../model/ipFamily.ts';
import type { NodeRecord } from '../../model/node.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { Match } from '../../netfilter/xtables/rule.ts';

export interface PlanContext {
  readonly family: IPFamily;
  /** One bit of a packet's mark: 2 ** `masquerade.bit`. */
  readonly mark: number;
  readonly masqueradeAll: boolean;
  readonly tcpBeLiberal: boolean;
  /** How packets of this node's or the cluster's own pods are recognized; undefined without a detector. */
  readonly podTraffic: PodTraffic | undefined;
  /** Canonical addresses and networks, or all of the node's addresses. */
  readonly nodePortNetworks: readonly string[] | 'all';
  /** A network. */
  readonly loopback: string;
  /** The node's first address of the family. */
  readonly nodeAddress: string | undefined;
}

export interface PodTraffic {
  readonly isPod: Match;
  readonly isNotPod: Match;
}

type Surroundings = Pick<ServiceState, 'config' | 'node' | 'family'>;

const loopbacks: { readonly [family in IPFamily]: string } = { ipv4: '127.0.0.0/8', ipv6: '::1/128' };

/** What the rules of one family depend on. */
export function planContext({ config, node, family }: Surroundings): PlanContext {
  const nodeAddress = node.addresses.find((address) => familyOf(address) === family);
  return {
    family,
    mark: 2 ** config.masquerade.bit,
    masqueradeAll: config.masquerade.all,
    tcpBeLiberal: config.conntrack.tcpBeLiberal,
    podTraffic: config.localTraffic && detectors[config.localTraffic.detect](config.localTraffic, node, family),
    nodePortNetworks: nodePortNetworks(config.nodePorts?.addresses ?? [], nodeAddress, family),
    loopback: loopbacks[family],
    nodeAddress,
  };
}

/** Equal for equal rules of equal Services: when it changes, every Service has to be planned again. */
export function planScope({ config, node, family }: Surroundings): string {
  return JSON.stringify([family, config, node.name, node.zone, node.addresses, node.podCIDRs]);
}

type Detector = NonNullable<NodeConfig['localTraffic']>;

const detectors: Record<
  Detector['detect'],
  (detector: Detector, node: NodeRecord, family: IPFamily) => PodTraffic | undefined
> = {
  ClusterCIDR: (detector, _node, family) => fromNetwork(detector.clusterCIDRs ?? [], family),
  NodeCIDR: (_detector, node, family) => fromNetwork(node.podCIDRs, family),
  BridgeInterface: (detector) => fromInterface(detector.interface),
  InterfaceNamePrefix: (detector) => fromInterface(detector.interface && anyThatBeginsWith(detector.interface)),
};

/** The longest name there can be (IFNAMSIZ) is the beginning of no other. */
function anyThatBeginsWith(prefix: string): string {
  return prefix.length < 15 ? `${prefix}+` : prefix;
}

/**
 * A network that holds every address distinguishes nobody, and iptables-nft takes no rule about addresses outside of
 * it.
 */
function fromNetwork(networks: readonly string[], family: IPFamily): PodTraffic | undefined {
  const network = networks.find((each) => familyOf(each) === family);
  if (network === undefined || network.endsWith('/0')) return undefined;
  return { isPod: { kind: 'source', network }, isNotPod: { kind: 'source', network, negated: true } };
}

function fromInterface(name: string | undefined): PodTraffic | undefined {
  if (name === undefined) return undefined;
  return { isPod: { kind: 'inInterface', name }, isNotPod: { kind: 'inInterface', name, negated: true } };
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
