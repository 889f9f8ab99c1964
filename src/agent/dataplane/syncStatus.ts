/**
 * The status of a sync loop, its runs, and the interface of its observers.
 */
import type { SyncResult } from '../../backend/backend.ts';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { SyncError } from '../../netfilter/errors.ts';
import type { ServiceChange } from '../watch/store.ts';

/** What is true of one IP family now. */
export interface SyncStatus {
  readonly family: IPFamily;
  /** Of the last run that succeeded; undefined before the first. */
  readonly result: SyncResult | undefined;
  /** The configuration that the kernel's rules were last completely made from; undefined before the first full run. */
  readonly configInForce: NodeConfig | undefined;
  /** Of the last run, where it failed. */
  readonly error: SyncError | undefined;
  /** Runs that failed since the last that succeeded. */
  readonly failures: number;
  /** What is missing in the kernel and not repaired, because `drift.policy` is Report. */
  readonly drift: string | undefined;
  /** How often drift was found since the agent started. */
  readonly drifts: number;
  readonly lastDriftTime: Date | undefined;
  readonly lastSuccess: Date | undefined;
  /** Since when a change waits to be programmed, in ms as `performance.now()` counts; undefined when none does. */
  readonly queuedSince: number | undefined;
}

/** A run that succeeded. */
export interface SyncRun {
  readonly result: SyncResult;
  readonly durationMs: number;
  /** The trigger times of the changes that it brought into the kernel, in ms since the epoch; at most 1,000. */
  readonly triggerTimes: readonly number[];
}

/** A run that failed. */
export interface SyncFailure {
  readonly error: SyncError;
  readonly wasFull: boolean;
  /** When the next run is due, from now; 0 when at once. */
  readonly retryInMs: number;
}

/** The part of a sync loop that its observers see. */
export interface ObservedLoop {
  readonly status: SyncStatus;
}

/**
 * Is called by a sync loop, with the status as it is after the event, and must not throw. All methods are called
 * between two awaits of the loop, so none runs while another does.
 */
export interface SyncObserver {
  /** A Service changed, or a full run was requested (`change` is undefined then). */
  onQueued(loop: ObservedLoop, change: ServiceChange | undefined): void;
  /** A run starts: nothing of `state` is written yet. */
  onStart?(loop: ObservedLoop, changed: ReadonlySet<ServiceKey> | 'all', state: ServiceState): void;
  /** The kernel holds what the run was started with. */
  onSuccess(loop: ObservedLoop, run: SyncRun): void;
  /** What the kernel holds is unknown until a full run succeeds. */
  onFailure(loop: ObservedLoop, failure: SyncFailure): void;
  /** The periodic check found rules missing or changed; `what` is for a log. */
  onDrift(loop: ObservedLoop, what: string): void;
  /** The node is different, so a full run is due although nobody changed a rule; `why` is for a log. */
  onOutdated?(loop: ObservedLoop, why: string): void;
}
