/**
 * What the model must know of the node that it plans for.
 */
export interface NodeRecord {
  readonly name: string;
  /** `status.addresses` of type InternalIP then ExternalIP, canonical; the first of a family is its primary address. */
  readonly addresses: readonly string[];
  /** `spec.podCIDRs`, or `spec.podCIDR` alone; canonical. */
  readonly podCIDRs: readonly string[];
  /** From the label `topology.kubernetes.io/zone`; '' without it. */
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Of which a node never has none for good. */
export type NodeNetwork = Pick<NodeRecord, 'addresses' | 'podCIDRs'>;

/**
 * The Node as it is now, with what it had before of that which it does not say: a Node that was made anew has neither
 * addresses nor Pod ranges until the kubelet, a cloud provider and the controller of Pod ranges have written them.
 */
export function withKnownNetwork(now: NodeRecord, before: NodeNetwork = { addresses: [], podCIDRs: [] }): NodeRecord {
  return {
    ...now,
    addresses: now.addresses.length > 0 ? now.addresses : before.addresses,
    podCIDRs: now.podCIDRs.length > 0 ? now.podCIDRs : before.podCIDRs,
  };
}
