/**
 * A queue of keys to reconcile, in the manner of client-go's rate-limiting work queue: a key waits in it once however
 * often it is added, no key is reconciled twice at a time, and one that is added while it is reconciled is reconciled
 * again afterwards. Errors are retried with a growing wait per key, and no sooner than the API server asks for
 * (Retry-After), whatever is added meanwhile.
 */
import { retryAfterMs } from './apiError.ts';
import { type Backoff, createBackoff } from './backoff.ts';

export interface WorkQueueOptions {
  /**
   * Gets only the key, and a signal that fires when the queue stops. Resolves with requeueAfterMs, the milliseconds
   * after which the key is to be reconciled again, or undefined. Rejects to be retried.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  /** Keys reconciled at a time; default 1. */
  readonly workers?: number;
  /** Called with each error; `retryInMs` is undefined when it is terminal. Not called for errors after `stop`. */
  readonly onError?: (key: string, error: unknown, retryInMs: number | undefined) => void;
  /** Whether a retry cannot help: the key then waits until it is added again. */
  readonly isTerminal?: (error: unknown) => boolean;
  /** Bounds of the wait before a retry; default 500 and 60,000. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
}

export interface WorkQueue {
  /**
   * The key is reconciled after that many milliseconds, as soon as a worker is free; of several delays the shortest
   * counts. Does nothing after `stop`.
   */
  add(key: string, delayMs?: number): void;
  /** Drops what waits; resolves when the running reconciliations have ended, whose signal fires at once. */
  stop(): Promise<void>;
}

/** A queue that starts to work with the first key. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new KeyQueue(options);
}

interface Delayed {
  readonly due: number;
  readonly timer: NodeJS.Timeout;
}

class KeyQueue implements WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #ready = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #active = new Map<string, Promise<void>>();
  readonly #backoffs = new Map<string, Backoff>();
  /** By `performance.now()`: until when the API server asked for no more requests. */
  readonly #notBefore = new Map<string, number>();
  readonly #stop = new AbortController();

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string, delayMs = 0): void {
    if (this.#stop.signal.aborted || this.#ready.has(key)) return;
    const now = performance.now();
    const due = Math.max(now + delayMs, this.#notBefore.get(key) ?? 0);
    const delayed = this.#delayed.get(key);
    if (delayed !== undefined && delayed.due <= due) return;
    clearTimeout(delayed?.timer);
    if (due > now) this.#delayed.set(key, { due, timer: setTimeout(() => this.#makeReady(key), due - now) });
    else this.#makeReady(key);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    this.#ready.clear();
    await Promise.all(this.#active.values());
  }

  #makeReady(key: string): void {
    this.#delayed.delete(key);
    this.#notBefore.delete(key);
    this.#ready.add(key);
    this.#dispatch();
  }

  #dispatch(): void {
    const workers = this.#options.workers ?? 1;
    for (const key of this.#ready) {
      if (this.#active.size >= workers) return;
      if (this.#active.has(key)) continue;
      this.#ready.delete(key);
      this.#active.set(
        key,
        Promise.resolve(key).then((taken) => this.#reconcile(taken)),
      );
    }
  }

  async #reconcile(key: string): Promise<void> {
    try {
      const requeueAfterMs = await this.#options.reconcile(key, this.#stop.signal);
      this.#backoffs.delete(key);
      if (requeueAfterMs !== undefined) this.add(key, requeueAfterMs);
    } catch (error) {
      this.#retry(key, error);
    } finally {
      this.#active.delete(key);
      this.#dispatch();
    }
  }

  /** Also a key that was added while it was reconciled has to wait. */
  #holdBack(key: string, until: number): void {
    this.#ready.delete(key);
    clearTimeout(this.#delayed.get(key)?.timer);
    this.#delayed.delete(key);
    this.#notBefore.set(key, until);
  }

  #retry(key: string, error: unknown): void {
    const { onError, isTerminal, retryMinMs = 500, retryMaxMs = 60_000 } = this.#options;
    if (this.#stop.signal.aborted) return;
    if (isTerminal?.(error) === true) {
      this.#backoffs.delete(key);
      onError?.(key, error, undefined);
      return;
    }
    const backoff = this.#backoffs.get(key) ?? createBackoff({ minMs: retryMinMs, maxMs: retryMaxMs });
    this.#backoffs.set(key, backoff);
    const serverWaitMs = retryAfterMs(error);
    const wait = backoff.next() + serverWaitMs;
    onError?.(key, error, wait);
    if (serverWaitMs > 0) this.#holdBack(key, performance.now() + wait);
    this.add(key, wait);
  }
}
