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
