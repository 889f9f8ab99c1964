/**
 * What a node knows of the cluster: compact records of Services, EndpointSlices and its own Node. Reports which
 * Services changed.
 *
 * A record that is equal to the one before is not a change: Services and Nodes are updated all the time for reasons
 * that no rule depends on.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import { AddressClaims } from '../../model/addressClaims.ts';
import type { ClusterIPSources } from '../../model/clusterIPRanges.ts';
import type { EndpointSliceRecord } from '../../model/endpointSlice.ts';
import type { Decoded, Problem } from '../../model/fields.ts';
import { familyOf, ipFamilies, type IPFamily } from '../../model/ipFamily.ts';
import { type NodeRecord, withKnownNetwork } from '../../model/node.ts';
import type { ServiceKey, ServiceRecord } from '../../model/service.ts';
import { type ServiceState, serviceStateOf } from '../../model/serviceState.ts';
import { ClusterIPs } from './clusterIPs.ts';

/** One Service whose rules in one family may no longer be right. */
export interface ServiceChange {
  readonly family: IPFamily;
  readonly service: ServiceKey;
  readonly kind: 'service' | 'endpoints';
  /** When the endpoints changed, in ms since the epoch, from their slice's annotation. */
  readonly triggerTime?: number | undefined;
}

/** Is called within the store's setters, which have stored the record by then. */
export interface StoreListener {
  onChange(change: ServiceChange): void;
  /** The Node's addresses, Pod ranges, zone or labels changed, so the rules of every Service may be wrong. */
  onNodeChange(): void;
  /** The ranges of cluster IPs changed, or what another proxy serves in them: no Service that is served waits for it. */
  onClusterIPsChange(): void;
}

/** A Service that is not served, or not as its objects say, because something in them is invalid. */
export interface InvalidService {
  readonly service: ServiceKey;
  readonly reason: 'InvalidService' | 'InvalidEndpointSlice';
  /** Names the field and the remedy; quotes nothing but what the decoders found safe. */
  readonly message: string;
}

export class Store {
  #node: NodeRecord | undefined;
  readonly #clusterIPs = new ClusterIPs();
  #listener: StoreListener | undefined;
  readonly #services = new Map<ServiceKey, ServiceRecord>();
  /** How many of them there are in a family. */
  readonly #servicesOf = new Map<IPFamily, number>();
  /** Follows `#services`. */
  readonly #claims = new AddressClaims(this.#services);
  readonly #slicesOf = new Map<ServiceKey, readonly EndpointSliceRecord[]>();
  /** By the slice's own `namespace/name`. */
  readonly #slices = new Map<string, EndpointSliceRecord>();
  /** By kind and key of the object that holds the problem. */
  readonly #invalid = new Map<string, InvalidService>();

  /** Replaces the listener. Changes from before are not reported: it starts with everything in the store. */
  listen(listener: StoreListener): void {
    this.#listener = listener;
  }

  /** The agent's own Node; undefined before it was first set. */
  get node(): NodeRecord | undefined {
    return this.#node;
  }

  /**
   * Undefined is ignored: a Node that is gone or cannot be read leaves the last record. So do addresses and Pod ranges
   * that the Node does not say.
   */
  setNode(said: NodeRecord | undefined): void {
    const node = said && withKnownNetwork(said, this.#node);
    if (node === undefined || isDeepStrictEqual(node, this.#node)) return;
    this.#node = node;
    this.#listener?.onNodeChange();
  }

  /** Until it is called there are no ranges. */
  setClusterIPs(clusterIPs: ClusterIPSources): void {
    if (this.#clusterIPs.set(clusterIPs, this.#slices.values())) this.#listener?.onClusterIPsChange();
  }

  /** Ranges of cluster IPs in which endpoints lie, so that no rule is about them; sorted. */
  get sharedRanges(): readonly string[] {
    return this.#clusterIPs.shared;
  }

  service(key: ServiceKey): ServiceRecord | undefined {
    return this.#services.get(key);
  }

  /** The IP families of all Services. */
  get families(): readonly IPFamily[] {
    return ipFamilies.filter((family) => (this.#servicesOf.get(family) ?? 0) > 0);
  }

  /** In no particular order. */
  slicesOf(key: ServiceKey): Iterable<EndpointSliceRecord> {
    return this.#slicesOf.get(key) ?? [];
  }

  /** Replaces a Service's record; without one the Service is not served, and its problems are kept. */
  setService(key: ServiceKey, { record, problems }: Decoded<ServiceRecord>): void {
    this.#recordProblems(`Service ${key}`, key, 'InvalidService', problems);
    const before = this.#services.get(key);
    if (record === undefined) this.#services.delete(key);
    else if (isDeepStrictEqual(record, before)) return;
    else this.#services.set(key, record);
    this.#count(before, -1);
    this.#count(record, 1);
    this.#report(key, [before, record]);
    for (const other of this.#claims.update(key, before, record)) this.#report(other, [this.#services.get(other)]);
  }

  removeService(key: ServiceKey): void {
    this.setService(key, { record: undefined, problems: [] });
  }

  /** Replaces a slice's record, by the slice's own `namespace/name`. */
  setSlice(key: string, { record, problems }: Decoded<EndpointSliceRecord>): void {
    const before = this.#slices.get(key);
    this.#recordProblems(
      `EndpointSlice ${key}`,
      record?.service ?? before?.service ?? key,
      'InvalidEndpointSlice',
      problems,
    );
    if (record !== undefined && before !== undefined && isEqualExceptTriggerTime(record, before)) return;
    if (before !== undefined) this.#deleteSlice(key, before);
    if (record !== undefined) this.#addSlice(key, record);
    this.#reportSliceChange(before, record);
  }

  removeSlice(key: string): void {
    this.setSlice(key, { record: undefined, problems: [] });
  }

  /** Sorted by Service, one entry each: a problem of its own before those of its slices. */
  invalidServices(): readonly InvalidService[] {
    const byService = new Map<ServiceKey, InvalidService>();
    for (const invalid of this.#invalid.values()) {
      if (invalid.reason === 'InvalidService' || !byService.has(invalid.service))
        byService.set(invalid.service, invalid);
    }
    return [...byService.values()].sort((one, other) => (one.service < other.service ? -1 : 1));
  }

  /** A view, not a copy: `ports` answers with what is known when it is asked. */
  state(family: IPFamily, node: NodeRecord, config: NodeConfig): ServiceState {
    const [services, slices, claims] = [this.#services, this.#slicesOf, this.#claims];
    return serviceStateOf({ services, slices, node, config, family, claims, clusterIPs: this.#clusterIPs.usable });
  }

  #count(record: ServiceRecord | undefined, change: 1 | -1): void {
    for (const family of familiesOf([record]))
      this.#servicesOf.set(family, (this.#servicesOf.get(family) ?? 0) + change);
  }

  #report(service: ServiceKey, records: readonly (ServiceRecord | undefined)[]): void {
    for (const family of familiesOf(records)) this.#listener?.onChange({ family, service, kind: 'service' });
  }

  #deleteSlice(key: string, record: EndpointSliceRecord): void {
    const others = this.#slicesOf.get(record.service)?.filter((each) => each !== record) ?? [];
    if (others.length === 0) this.#slicesOf.delete(record.service);
    else this.#slicesOf.set(record.service, others);
    this.#slices.delete(key);
  }

  #addSlice(key: string, record: EndpointSliceRecord): void {
    if (this.#clusterIPs.observe(record)) this.#listener?.onClusterIPsChange();
    this.#slicesOf.set(record.service, [...(this.#slicesOf.get(record.service) ?? []), record]);
    this.#slices.set(key, record);
  }

  #reportSliceChange(before: EndpointSliceRecord | undefined, after: EndpointSliceRecord | undefined): void {
    // An annotation that is as before belongs to an earlier change.
    const triggerTime =
      after?.lastChangeTriggerTime === before?.lastChangeTriggerTime ? undefined : after?.lastChangeTriggerTime;
    if (after !== undefined)
      this.#listener?.onChange({ family: after.family, service: after.service, kind: 'endpoints', triggerTime });
    const hasMoved = before !== undefined && (before.service !== after?.service || before.family !== after.family);
    if (hasMoved) this.#listener?.onChange({ family: before.family, service: before.service, kind: 'endpoints' });
  }

  #recordProblems(
    object: string,
    service: ServiceKey,
    reason: InvalidService['reason'],
    problems: readonly Problem[],
  ): void {
    const [first] = problems;
    if (first === undefined) {
      this.#invalid.delete(object);
      return;
    }
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    this.#invalid.set(object, {
      service,
      reason,
      message: `${object}: ${first.field} ${first.message}; ${first.remedy}${more}`,
    });
  }
}

function familiesOf(records: Iterable<ServiceRecord | undefined>): ReadonlySet<IPFamily> {
  const families = new Set<IPFamily>();
  for (const record of records) for (const address of record?.clusterIPs ?? []) families.add(familyOf(address));
  return families;
}

function isEqualExceptTriggerTime(one: EndpointSliceRecord, other: EndpointSliceRecord): boolean {
  return isDeepStrictEqual(
    { ...one, lastChangeTriggerTime: undefined },
    { ...other, lastChangeTriggerTime: undefined },
  );
}
