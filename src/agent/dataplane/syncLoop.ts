/**
 * Drives the backend of one IP family: decides when to sync, how much, and what follows a failure.
 *
 * What the caller may rely on: `start` once, `enqueue` for each Service that changed, `requestFull` when everything may
 * have changed, `requestCheck` when rules may be gone, `stop` in the end. All but `stop` return at once and only mark
 * what is due; the loop runs the backend later, on a timer of its own. `status` says what is true now.
 *
 * Goals:
 *  1. One backend call at a time, so that a backend needs no lock.
 *  2. A lone change is programmed at once, a burst in few runs.
 *  3. No change and no request is lost, whenever it comes, also during a run that fails.
 *  4. A failure costs no more than its repair: retries get rarer, and the kernel is not believed to hold anything.
 *  5. What others do to the rules is found, and repaired only where `drift.policy` is Enforce.
 *
 * How each is met:
 *  1. There is one timer and one promise of the running step; nothing is scheduled while it is pending.
 *  2. The pace of kube-proxy's BoundedFrequencyRunner: the first change starts a run at once; between the end of a run
 *     and the next start lie at least `sync.minPeriodSeconds`, or, where that is 0, as long as the run took.
 *     A change too large for one run goes on in the next at once, and the others that wait are in each of these runs.
 *  3. A run takes what is due and clears it before it awaits anything; what comes during the run is due after it. A run
 *     that fails makes a full run due, which needs no list of changes, and keeps the trigger times for the metrics.
 *  4. The full run after a failure waits 1 s, doubled with each failure in a row up to `sync.periodSeconds`. It starts
 *     at once where another program was seen to flush rules before the run had read them back, at most five times in a
 *     row, and where `requestFull` was called during the run. A full run is due once an hour anyway.
 *  5. Every `drift.checkPeriodSeconds`, and at once after `requestCheck`, the backend reads the kernel. Drift is
 *     counted once until it is gone. Where the rules stand but belong to another state of the node (`Outdated`), a full
 *     run follows whatever the policy is. While runs fail there is no check: the full run to come reads everything.
 *     A check that is due comes before a run that goes on with a large change, for these have no pauses.
 *
 * Concurrency: all methods belong to the one JavaScript thread and may be called at any time, also by a listener. The
 * listeners are called in between the awaits of a step, and while the backend asks what a Service serves; what they
 * throw is logged. `state` is called at the start of each run. Its view of the store may change under the backend; such
 * a change is in the next run. `stop` waits for the running step, and cancels it after the time given.
 */
import type { Backend, Outdated, SyncRequest, SyncResult } from '../../backend/backend.ts';
import { SyncError } from '../../netfilter/errors.ts';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import { observedState, type ServiceState } from '../../model/serviceState.ts';
import type { ServiceChange } from '../watch/store.ts';
import { QueuedChanges } from './queuedChanges.ts';
import { type Notify, notifier, type NotifierOptions } from './syncListener.ts';
import { statusBeforeFirstRun, type SyncRun, type SyncStatus } from './syncStatus.ts';

export interface SyncLoopOptions extends NotifierOptions {
  readonly backend: Backend;
  /** What the kernel is to hold now. Must not throw. */
  readonly state: () => ServiceState;
}

const fullSyncPeriodMs = 3_600_000;
const minRetryMs = 1000;
/** Against a program that flushes the rules each time before a run has read them back: after so many, retries wait. */
const maxImmediateRetries = 5;

export class SyncLoop {
  readonly #options: SyncLoopOptions;
  readonly #notify: Notify;
  readonly #abort = new AbortController();
  #status: SyncStatus;
  #isFullDue = true;
  /** Asked for while a run was under way: the next one follows without a pause. */
  #isUrgent = false;
  readonly #changes = new QueuedChanges();
  #notBefore = 0;
  #lastFull = 0;
  #lastCheck = 0;
  /** Whether rules may have been flushed since the last run started. */
  #hasSeenFlush = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isStarted = false;
  readonly #firstRun = Promise.withResolvers<SyncError | undefined>();

  constructor(options: SyncLoopOptions) {
    this.#options = options;
    this.#notify = notifier(options);
    this.#status = { ...statusBeforeFirstRun(options.family), queuedSince: performance.now() };
  }

  get backend(): Backend {
    return this.#options.backend;
  }

  get status(): SyncStatus {
    return this.#status;
  }

  /** Resolves after the first run: to its error, or to undefined when it succeeded or the loop was stopped before. */
  get firstRun(): Promise<SyncError | undefined> {
    return this.#firstRun.promise;
  }

  /** Makes the loop run; the first run is a full one. To be called once. */
  start(): void {
    this.#isStarted = true;
    this.#schedule();
  }

  /** The rules of this Service may be wrong: a run that includes it is due after the pause. */
  enqueue(change: ServiceChange): void {
    this.#changes.add(change);
    this.#onQueued(change);
  }

  /** A full run is due, without waiting for the end of the pause. */
  requestFull(): void {
    this.#isFullDue = true;
    this.#isUrgent = true;
    this.#notBefore = 0;
    this.#onQueued(undefined);
  }

  /** A full run is due after the pause. */
  enqueueFull(): void {
    this.#isFullDue = true;
    this.#onQueued(undefined);
  }

  /**
   * Rules may be gone: the kernel is read at once. Where the last run failed because its rules were gone before it had
   * read them back, a full run is due at once instead.
   */
  requestCheck(): void {
    this.#lastCheck = Number.NEGATIVE_INFINITY;
    this.#hasSeenFlush = true;
    if (this.#wasFlushed()) this.#notBefore = 0;
    this.#schedule();
  }

  /**
   * Resolves when the running step has ended; it is canceled after `graceMs`. No other follows, and the rules stay in
   * the kernel. Settles `firstRun`.
   */
  async stop(graceMs: number): Promise<void> {
    this.#isStarted = false;
    clearTimeout(this.#timer);
    const deadline = setTimeout(() => this.#abort.abort(), graceMs);
    await this.#running;
    clearTimeout(deadline);
    this.#firstRun.resolve(undefined);
  }

  #onQueued(change: ServiceChange | undefined): void {
    this.#update({ queuedSince: this.#status.queuedSince ?? performance.now() });
    this.#notify((listener) => listener.onQueued?.(this, change));
    this.#schedule();
  }

  #update(change: Partial<SyncStatus>): void {
    this.#status = { ...this.#status, ...change };
  }

  #schedule(): void {
    if (!this.#isStarted || this.#running !== undefined) return;
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
    const nextFull = this.#lastFull + fullSyncPeriodMs;
    return this.#isFullDue || !this.#changes.isEmpty ? this.#notBefore : nextFull;
  }

  #checkDue(): number {
    const { checkPeriodSeconds } = this.#options.state().config.drift;
    return this.#lastCheck + checkPeriodSeconds * 1000;
  }

  async #step(): Promise<void> {
    const now = performance.now();
    const [isSyncDue, isCheckDue] = [this.#syncDue() <= now, this.#checkDue() <= now];
    // A change of many runs leaves no pause between them.
    if (isCheckDue && (!isSyncDue || this.#isGoingOn)) await this.#check();
    else if (isSyncDue) await this.#sync();
  }

  /** Whether the next run only goes on with a change that was too large for the last one. */
  get #isGoingOn(): boolean {
    return this.#changes.isUnfinished && !this.#isFullDue;
  }

  /** Whether the last run failed only because its rules were gone before it read them back: the next may succeed. */
  #wasFlushed(): boolean {
    const { error, failures } = this.#status;
    return this.#hasSeenFlush && error?.reason === 'VerificationFailed' && failures <= maxImmediateRetries;
  }

  async #sync(): Promise<void> {
    const started = performance.now();
    this.#hasSeenFlush = false;
    const isFull = this.#isFullDue || started >= this.#lastFull + fullSyncPeriodMs;
    const taken = this.#changes.take(isFull);
    this.#isFullDue = false;
    this.#isUrgent = false;
    const state = this.#observed(this.#options.state());
    const { node, config } = state;
    const result = await this.#write({ state, changed: taken.services, signal: this.#abort.signal });
    if (result instanceof SyncError) {
      this.#changes.failed(taken);
      this.#failed(result, isFull, config);
    } else {
      const triggerTimes = this.#changes.succeeded(taken, result.unfinished);
      this.#succeeded({ result, node, config, durationMs: performance.now() - started, triggerTimes }, isFull);
    }
  }

  async #write(request: SyncRequest): Promise<SyncResult | SyncError> {
    try {
      return await this.#options.backend.sync(request);
    } catch (error) {
      return asSyncError(error);
    }
  }

  /** What is written and what the listeners are told is one answer. */
  #observed(state: ServiceState): ServiceState {
    return observedState(state, (key, ports) =>
      this.#notify((listener) => listener.onServicePorts?.(this, key, ports)),
    );
  }

  #succeeded(run: SyncRun, isFull: boolean): void {
    const { config } = run;
    const now = performance.now();
    const minPeriodMs = config.sync.minPeriodSeconds * 1000;
    const isPaused = !this.#isUrgent && !this.#changes.isUnfinished;
    this.#notBefore = isPaused ? now + (minPeriodMs > 0 ? minPeriodMs : run.durationMs) : 0;
    if (isFull) this.#lastFull = now;
    // After the pause: others may be programmed in between.
    if ((run.result.untried ?? 0) > 0) this.#isFullDue = true;
    this.#update({
      result: run.result,
      ...(isFull ? { configInForce: config, drift: undefined } : {}),
      error: undefined,
      failures: 0,
      lastSuccess: new Date(),
      queuedSince: this.#isFullDue || !this.#changes.isEmpty ? now : undefined,
    });
    this.#firstRun.resolve(undefined);
    this.#notify((listener) => listener.onSuccess?.(this, run));
  }

  /** What the kernel holds is unknown now, so the next run is a full one. */
  #failed(error: SyncError, wasFull: boolean, config: NodeConfig): void {
    const failures = this.#status.failures + 1;
    this.#update({ error, failures });
    this.#firstRun.resolve(error);
    const retryInMs = this.#wasFlushed()
      ? 0
      : Math.min(minRetryMs * 2 ** (failures - 1), config.sync.periodSeconds * 1000);
    if (!this.#isUrgent) this.#notBefore = performance.now() + retryInMs;
    this.#isFullDue = true;
    this.#notify((listener) => listener.onFailure?.(this, { error, wasFull, retryInMs }));
  }

  async #check(): Promise<void> {
    this.#lastCheck = performance.now();
    // While runs fail, the full one that is to come reads everything anyway.
    if (this.#status.lastSuccess === undefined || this.#status.failures > 0) return;
    const found = await this.#readDrift();
    if (typeof found === 'string') this.#handleDrift(found);
    else if (found === undefined) this.#update({ drift: undefined });
    else {
      this.#notify((listener) => listener.onOutdated?.(this, found.outdated));
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
    const isEnforced = this.#options.state().config.drift.policy === 'Enforce';
    this.#update({ drift: isEnforced ? undefined : drift, drifts: this.#status.drifts + 1, lastDriftTime: new Date() });
    this.#notify((listener) => listener.onDrift?.(this, drift));
    if (isEnforced) this.requestFull();
  }
}

/** The error itself where it is a SyncError, else one with the reason `SyncFailed` and a message that is safe to show. */
export function asSyncError(error: unknown): SyncError {
  if (error instanceof SyncError) return error;
  return new SyncError('SyncFailed', 'the rules could not be loaded; the agent log says why', { cause: error });
}
