/**
 * The compact record of an EndpointSlice that a node keeps.
 */
import type { IPFamily } from './ipFamily.ts';
import type { Protocol } from './protocol.ts';
import type { ServiceKey } from './service.ts';

export interface EndpointSliceRecord {
  readonly namespace: string;
  readonly name: string;
  /** From the label `kubernetes.io/service-name`. */
  readonly service: ServiceKey;
  readonly family: IPFamily;
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[];
  readonly endpoints: readonly EndpointRecord[];
  /** Milliseconds since the epoch, from `endpoints.kubernetes.io/last-change-trigger-time`; undefined without it. */
  readonly lastChangeTriggerTime: number | undefined;
}

/** One endpoint of a slice; conditions that the slice leaves out have their defaults. */
export interface EndpointRecord {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** '' when the slice does not say. */
  readonly nodeName: string;
  readonly nodeHints: readonly string[];
  readonly zoneHints: readonly string[];
}
