/**
 * Drives one backend: when to sync, what to ask for, and what to do when it failed.
 *
 * The pace is kube-proxy's (BoundedFrequencyRunner): the first change goes at once, then at least minPeriodSeconds lie
 * between the end of a run and the next start; with 0 the pause is as long as the run was. A failed run is followed by
 * a full one within periodSeconds, or at once where somebody was heard to flush what it had written; everything is made
 * equal once an hour, and in between the kernel is asked whether it still holds the rules, and whether they are still
 * those for this node.
 */
import { type Backend, type Outdated, type SyncResult } from '../backend/backend.ts';
import { SyncError } from '../netfilter/errors.ts';
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { IPFamily } from '../model/ipFamily.ts';
import type { ServiceKey } from '../model/service.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { ServiceChange } from './store.ts';

export interface SyncLoopOptions {
  readonly family: IPFamily;
  readonly backend: Backend;
  /** What to make true now. */
  readonly state: () => ServiceState;
  readonly observer: SyncObserver;
}

export interface SyncObserver {
  onQueued(loop: SyncLoop, change: ServiceChange | undefined): void;
  onStart?(loop: SyncLoop, changed: ReadonlySet<ServiceKey> | 'all', state: ServiceState): void;
  onSuccess(loop: SyncLoop, run: SyncRun): void;
  onFailure(loop: SyncLoop, failure: SyncFailure): void;
  onDrift(loop: SyncLoop, what: string): void;
  onOutdated?(loop: SyncLoop, why: string): void;
}

export interface SyncRun {
  readonly result: SyncResult;
  readonly durationMs: number;
  /** The trigger times of the changes that it brought into the kernel. */
  readonly triggerTimes: readonly number[];
}

export interface SyncFailure {
  readonly error: SyncError;
  readonly wasFull: boolean;
  readonly retryInMs: number;
}

/** What is true of one family now. */
export interface SyncStatus {
  readonly family: IPFamily;
  /** Of the last run that succeeded. */
  readonly result: SyncResult | undefined;
  /** The configuration that the kernel's rules were last completely made from. */
  readonly configInForce: NodeConfig | undefined;
  readonly error: SyncError | undefined;
  /** Runs that failed since the last that succeeded. */
  readonly failures: number;
  /** What is missing in the kernel and not repaired, because the policy is Report. */
  readonly drift: string | undefined;
  readonly drifts: number;
  readonly lastDriftTime: Date | undefined;
  readonly lastSuccess: Date | undefined;
  /** Since when something waits to be programmed, as `performance.now()` counts; undefined when nothing does. */
  readonly queuedSince: number | undefined;
}

const fullEveryMs = 3_600_000;
const firstRetryMs = 1000;
/** Somebody who flushes each time before a run has read back what it wrote gets no endless haste. */
const maxImmediateRetries = 5;
/** Changes whose latency is measured; more in one run say nothing new. */
const maxTriggerTimes = 1000;

export class SyncLoop {
  readonly #options: SyncLoopOptions;
  readonly #abort = new AbortController();
  #status: SyncStatus;
  #full = true;
  #changed = new Set<ServiceKey>();
  #triggerTimes: number[] = [];
  #notBefore = 0;
  #lastFull = 0;
  #lastCheck = 0;
  /** Since the last run began, somebody was heard who may have thrown rules of ours away. */
  #flushObserved = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isOn = false;
  readonly #firstRun = Promise.withResolvers<SyncError | undefined>();

  constructor(options: SyncLoopOptions) {
    this.#options = options;
    this.#status = {
      family: options.family,
      result: undefined,
      configInForce: undefined,
      error: undefined,
      failures: 0,
      drift: undefined,
      drifts: 0,
      lastDriftTime: undefined,
      lastSuccess: undefined,
      queuedSince: performance.now(),
    };
  }

  get backend(): Backend {
    return this.#options.backend;
  }

  get status(): SyncStatus {
    return this.#status;
  }

  /** Why the first run failed; undefined when it succeeded, or will never be because the loop was stopped. */
  get firstRun(): Promise<SyncError | undefined> {
    return this.#firstRun.promise;
  }

  /** The first run is a full one. */
  start(): void {
    this.#isOn = true;
    this.#schedule();
  }

  changed(change: ServiceChange): void {
    this.#changed.add(change.service);
    if (change.triggerTime !== undefined && this.#triggerTimes.length < maxTriggerTimes)
      this.#triggerTimes.push(change.triggerTime);
    this.#queued(change);
  }

  /** Everything is to be looked at again, without waiting for the end of a pause. */
  requestFull(): void {
    this.#full = true;
    this.#notBefore = 0;
    this.#queued(undefined);
  }

  /**
   * Somebody may have changed rules of ours: the kernel is asked at once, or written again where that is why a run
   * failed.
   */
  requestCheck(): void {
    this.#lastCheck = Number.NEGATIVE_INFINITY;
    this.#flushObserved = true;
    if (this.#wasFlushed()) this.#notBefore = 0;
    this.#schedule();
  }

  /** Lets the running sync end, within the time given; the rules stay. */
  async stop(graceMs: number): Promise<void> {
    this.#isOn = false;
    clearTimeout(this.#timer);
    const deadline = setTimeout(() => this.#abort.abort(), graceMs);
    await this.#running;
    clearTimeout(deadline);
    this.#firstRun.resolve(undefined);
  }

  #queued(change: ServiceChange | undefined): void {
    this.#update({ queuedSince: this.#status.queuedSince ?? performance.now() });
    this.#options.observer.onQueued(this, change);
    this.#schedule();
  }

  #update(change: Partial<SyncStatus>): void {
    this.#status = { ...this.#status, ...change };
  }

  #schedule(): void {
    if (!this.#isOn || this.#running !== undefined) return;
    clearTimeout(this.#timer);
    const wait = Math.min(this.#syncDue(), this.#checkDue()) - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#running = this.#step().finally(() => {
          this.#running = undefined;
          this.#schedule();
        });
      },
      Math.max(0, Math.ceil(wait)),
    );
  }

  #syncDue(): number {
    const hourly = this.#lastFull + fullEveryMs;
    return this.#full || this.#changed.size > 0 ? this.#notBefore : hourly;
  }

  #checkDue(): number {
    const { checkPeriodSeconds } = this.#options.state().config.drift;
    return this.#lastCheck + checkPeriodSeconds * 1000;
  }

  async #step(): Promise<void> {
    const now = performance.now();
    if (this.#syncDue() <= now) await this.#sync();
    else if (this.#checkDue() <= now) await this.#check();
  }

  /** Whether the last run's rules were gone before it read them back, which says nothing against the next run. */
  #wasFlushed(): boolean {
    const { error, failures } = this.#status;
    return this.#flushObserved && error?.reason === 'VerificationFailed' && failures <= maxImmediateRetries;
  }

  async #sync(): Promise<void> {
    const started = performance.now();
    this.#flushObserved = false;
    const isFull = this.#full || started >= this.#lastFull + fullEveryMs;
    const changed = isFull ? 'all' : this.#changed;
    const triggerTimes = this.#triggerTimes;
    this.#full = false;
    this.#changed = new Set();
    this.#triggerTimes = [];
    const state = this.#options.state();
    try {
      this.#options.observer.onStart?.(this, changed, state);
      const result = await this.#options.backend.sync({ state, changed, signal: this.#abort.signal });
      this.#succeeded({ result, durationMs: performance.now() - started, triggerTimes }, isFull, state.config);
    } catch (error) {
      this.#triggerTimes = [...triggerTimes, ...this.#triggerTimes].slice(0, maxTriggerTimes);
      this.#failed(asSyncError(error), isFull, state.config);
    }
  }

  #succeeded(run: SyncRun, isFull: boolean, config: NodeConfig): void {
    const now = performance.now();
    const minPeriodMs = config.sync.minPeriodSeconds * 1000;
    this.#notBefore = this.#full ? 0 : now + (minPeriodMs > 0 ? minPeriodMs : run.durationMs);
    if (isFull) this.#lastFull = now;
    this.#update({
      result: run.result,
      ...(isFull ? { configInForce: config, drift: undefined } : {}),
      error: undefined,
      failures: 0,
      lastSuccess: new Date(),
      queuedSince: this.#full || this.#changed.size > 0 ? now : undefined,
    });
    this.#firstRun.resolve(undefined);
    this.#options.observer.onSuccess(this, run);
  }

  /** Nothing is known of the kernel now, so the next run makes everything equal. */
  #failed(error: SyncError, wasFull: boolean, config: NodeConfig): void {
    const failures = this.#status.failures + 1;
    this.#update({ error, failures });
    this.#firstRun.resolve(error);
    const retryInMs = this.#wasFlushed()
      ? 0
      : Math.min(firstRetryMs * 2 ** (failures - 1), config.sync.periodSeconds * 1000);
    if (!this.#full) this.#notBefore = performance.now() + retryInMs;
    this.#full = true;
    this.#options.observer.onFailure(this, { error, wasFull, retryInMs });
  }

  async #check(): Promise<void> {
    this.#lastCheck = performance.now();
    // While runs fail, the full one that is to come looks at everything anyway.
    if (this.#status.lastSuccess === undefined || this.#status.failures > 0) return;
    const handleDrift = await this.#readDrift();
    if (typeof handleDrift === 'string') this.#handleDrift(handleDrift);
    else if (handleDrift === undefined) this.#update({ drift: undefined });
    else {
      this.#options.observer.onOutdated?.(this, handleDrift.outdated);
      this.requestFull();
    }
  }

  async #readDrift(): Promise<string | Outdated | undefined> {
    try {
      return await this.#options.backend.findDrift(this.#abort.signal);
    } catch (error) {
      return `the kernel could not be read: ${asSyncError(error).message}`;
    }
  }

  #handleDrift(drift: string): void {
    if (this.#status.drift !== undefined) return;
    const enforce = this.#options.state().config.drift.policy === 'Enforce';
    this.#update({ drift: enforce ? undefined : drift, drifts: this.#status.drifts + 1, lastDriftTime: new Date() });
    this.#options.observer.onDrift(this, drift);
    if (enforce) this.requestFull();
  }
}

/** What a failure is called in a status. */
export function asSyncError(error: unknown): SyncError {
  if (error instanceof SyncError) return error;
  return new SyncError('SyncFailed', 'the rules could not be loaded; the agent log says why', { cause: error });
}
