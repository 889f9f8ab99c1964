/**
 * Who follows the syncs: metrics, log lines, health-check node ports, the report and others. Each is an entry of one
 * list, and knows nothing of the others.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import type { Logger } from '../../observability/logger.ts';
import type { ServiceChange } from '../watch/store.ts';
import type { SyncFailure, SyncRun, SyncStatus } from './syncStatus.ts';

/** The part of a sync loop that its listeners see. */
export interface ObservedLoop {
  readonly status: SyncStatus;
}

/**
 * Is called by the sync loops of both IP families, with the status as it is after the event, and returns at once. The
 * listeners are called in the order of the list. What one throws is logged; it harms neither the sync nor the others.
 * The calls of one family do not overlap, and those of its loop before a change of mode end before those of the next.
 */
export interface SyncListener {
  /** Only the loop of this family is followed; both without it. */
  readonly family?: IPFamily;
  /** A Service changed, or a full run was requested (`change` is undefined then). */
  onQueued?(loop: ObservedLoop, change: ServiceChange | undefined): void;
  /**
   * The running sync has chosen what a Service serves in the family; no ports where it is gone or has no address of the
   * family. Nothing of it is in the kernel before `onSuccess`. Called for each Service that the sync plans, at least
   * once; of several calls the last one counts.
   */
  onServicePorts?(loop: ObservedLoop, key: ServiceKey, ports: readonly ServicePort[]): void;
  /** The kernel holds what the sync has chosen. */
  onSuccess?(loop: ObservedLoop, run: SyncRun): void;
  /** What the kernel holds is unknown until a full run succeeds, which chooses for all Services anew. */
  onFailure?(loop: ObservedLoop, failure: SyncFailure): void;
  /** The periodic check found rules missing or changed; `what` is for a log. */
  onDrift?(loop: ObservedLoop, what: string): void;
  /** The node is different, so a full run is due although nobody changed a rule; `why` is for a log. */
  onOutdated?(loop: ObservedLoop, why: string): void;
}

/** Makes a call to each listener. */
export type Notify = (call: (listener: SyncListener) => void) => void;

export interface NotifierOptions {
  /** Called in this order. */
  readonly listeners: readonly SyncListener[];
  readonly logger: Logger;
  readonly family: IPFamily;
}

/**
 * For the listeners of one family. Whatever one throws is logged, and the next one is called: the result never throws.
 */
export function notifier({ listeners, logger, family }: NotifierOptions): Notify {
  const ofFamily = listeners.filter((listener) => (listener.family ?? family) === family);
  return (call) => {
    for (const listener of ofFamily)
      try {
        call(listener);
      } catch (error) {
        logger.error('what follows a sync failed; the rules are not affected', { family, error });
      }
  };
}
