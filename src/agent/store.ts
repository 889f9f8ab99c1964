/**
 * What a node knows of the cluster: compact records of Services, EndpointSlices and its own Node, and the news of what
 * changed.
 *
 * A record that is equal to the one before is no news: Services and Nodes are touched all the time for reasons that no
 * rule depends on.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { EndpointSliceRecord } from '../model/endpointSlice.ts';
import type { Decoded, Problem } from '../model/fields.ts';
import { familyOf, type IPFamily } from '../model/ipFamily.ts';
import type { NodeRecord } from '../model/node.ts';
import type { ServiceKey, ServiceRecord } from '../model/service.ts';
import { type ServiceState, serviceStateOf } from '../model/serviceState.ts';

/** One Service whose rules in one family may no longer be right. */
export interface ServiceChange {
  readonly family: IPFamily;
  readonly service: ServiceKey;
  readonly kind: 'service' | 'endpoints';
  /** When the endpoints changed, in milliseconds since the epoch, as their slice says. */
  readonly triggerTime?: number | undefined;
}

export interface StoreListener {
  onChange(change: ServiceChange): void;
  /** The Node's addresses, ranges, zone or labels changed, so every Service may have. */
  onNodeChange(): void;
}

/** A Service that is not served, or not as its objects say, because something in them is invalid. */
export interface InvalidService {
  readonly service: ServiceKey;
  readonly reason: 'InvalidService' | 'InvalidEndpointSlice';
  /** Names the field and the remedy; holds nothing but what the decoders found safe to quote. */
  readonly message: string;
}

export class Store {
  #node: NodeRecord | undefined;
  #listener: StoreListener | undefined;
  readonly #services = new Map<ServiceKey, ServiceRecord>();
  readonly #slicesOf = new Map<ServiceKey, readonly EndpointSliceRecord[]>();
  /** By its own `namespace/name`. */
  readonly #slices = new Map<string, EndpointSliceRecord>();
  /** By kind and key of the object that holds the problem. */
  readonly #invalid = new Map<string, InvalidService>();

  /** Until somebody listens, changes are not told: whoever comes later starts with everything. */
  listen(listener: StoreListener): void {
    this.#listener = listener;
  }

  get node(): NodeRecord | undefined {
    return this.#node;
  }

  setNode(node: NodeRecord | undefined): void {
    if (node === undefined || isDeepStrictEqual(node, this.#node)) return;
    this.#node = node;
    this.#listener?.onNodeChange();
  }

  service(key: ServiceKey): ServiceRecord | undefined {
    return this.#services.get(key);
  }

  slicesOf(key: ServiceKey): Iterable<EndpointSliceRecord> {
    return this.#slicesOf.get(key) ?? [];
  }

  setService(key: ServiceKey, { record, problems }: Decoded<ServiceRecord>): void {
    this.#noteProblems(`Service ${key}`, key, 'InvalidService', problems);
    const before = this.#services.get(key);
    if (record === undefined) this.#services.delete(key);
    else if (isDeepStrictEqual(record, before)) return;
    else this.#services.set(key, record);
    for (const family of familiesOf(before, record))
      this.#listener?.onChange({ family, service: key, kind: 'service' });
  }

  removeService(key: ServiceKey): void {
    this.setService(key, { record: undefined, problems: [] });
  }

  setSlice(key: string, { record, problems }: Decoded<EndpointSliceRecord>): void {
    const before = this.#slices.get(key);
    this.#noteProblems(
      `EndpointSlice ${key}`,
      record?.service ?? before?.service ?? key,
      'InvalidEndpointSlice',
      problems,
    );
    if (record !== undefined && before !== undefined && isSameBesideTrigger(record, before)) return;
    if (before !== undefined) this.#forgetSlice(key, before);
    if (record !== undefined) this.#rememberSlice(key, record);
    this.#tellSliceChange(before, record);
  }

  removeSlice(key: string): void {
    this.setSlice(key, { record: undefined, problems: [] });
  }

  /** Sorted by Service; one entry per Service, a problem of its own before those of its slices. */
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
    return serviceStateOf({ services: this.#services, slices: this.#slicesOf, node, config, family });
  }

  #forgetSlice(key: string, record: EndpointSliceRecord): void {
    const others = this.#slicesOf.get(record.service)?.filter((each) => each !== record) ?? [];
    if (others.length === 0) this.#slicesOf.delete(record.service);
    else this.#slicesOf.set(record.service, others);
    this.#slices.delete(key);
  }

  #rememberSlice(key: string, record: EndpointSliceRecord): void {
    this.#slicesOf.set(record.service, [...(this.#slicesOf.get(record.service) ?? []), record]);
    this.#slices.set(key, record);
  }

  #tellSliceChange(before: EndpointSliceRecord | undefined, after: EndpointSliceRecord | undefined): void {
    // An annotation that stayed as it was belongs to an earlier change.
    const triggerTime =
      after?.lastChangeTriggerTime === before?.lastChangeTriggerTime ? undefined : after?.lastChangeTriggerTime;
    if (after !== undefined)
      this.#listener?.onChange({ family: after.family, service: after.service, kind: 'endpoints', triggerTime });
    const moved = before !== undefined && (before.service !== after?.service || before.family !== after.family);
    if (moved) this.#listener?.onChange({ family: before.family, service: before.service, kind: 'endpoints' });
  }

  #noteProblems(
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

function familiesOf(...records: readonly (ServiceRecord | undefined)[]): ReadonlySet<IPFamily> {
  return new Set(records.flatMap((record) => record?.clusterIPs.map(familyOf) ?? []));
}

function isSameBesideTrigger(one: EndpointSliceRecord, other: EndpointSliceRecord): boolean {
  return isDeepStrictEqual(
    { ...one, lastChangeTriggerTime: undefined },
    { ...other, lastChangeTriggerTime: undefined },
  );
}
