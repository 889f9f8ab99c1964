/**
 * The status of a sync loop, and what came of its runs.
 */
import type { SyncResult } from '../../backend/backend.ts';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { NodeRecord } from '../../model/node.ts';
import type { SyncError } from '../../netfilter/errors.ts';

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

/** Of a loop that has not run, and that no change waits for. */
export function statusBeforeFirstRun(family: IPFamily): SyncStatus {
  return {
    family,
    result: undefined,
    configInForce: undefined,
    error: undefined,
    failures: 0,
    drift: undefined,
    drifts: 0,
    lastDriftTime: undefined,
    lastSuccess: undefined,
    queuedSince: undefined,
  };
}

/** A run that succeeded. */
export interface SyncRun {
  readonly result: SyncResult;
  /** What it was made from, beside the Services. */
  readonly node: NodeRecord;
  readonly config: NodeConfig;
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
