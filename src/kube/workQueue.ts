/**
 * A queue of keys to reconcile: a key waits in it once however often it is added, no key is worked on twice at a time,
 * and one that is added while it is worked on gets another turn. Errors are retried with a growing wait per key, and no
 * sooner than the API server asks for, whatever is added meanwhile.
 */
import { retryAfterMs } from './apiError.ts';
import { type Backoff, createBackoff } from './backoff.ts';

export interface WorkQueueOptions {
  /** Sees only the key. Resolves with milliseconds after which the key wants another turn, or undefined. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  /** Keys worked on at a time; default 1. */
  readonly workers?: number;
  /** `retryInMs` is undefined when the error is terminal: waiting would not help. */
  readonly onError?: (key: string, error: unknown, retryInMs: number | undefined) => void;
  readonly isTerminal?: (error: unknown) => boolean;
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
}

export interface WorkQueue {
  /** A key added with a delay takes its turn then at the latest; a shorter delay wins over a longer one. */
  add(key: string, delayMs?: number): void;
  /** Ends when the running reconciliations have ended; their signal fires at once. */
  stop(): Promise<void>;
}

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
  /** Until when the API server asked to be left alone. */
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
        Promise.resolve(key).then((taken) => this.#work(taken)),
      );
    }
  }

  async #work(key: string): Promise<void> {
    try {
      const again = await this.#options.reconcile(key, this.#stop.signal);
      this.#backoffs.delete(key);
      if (again !== undefined) this.add(key, again);
    } catch (error) {
      this.#retry(key, error);
    } finally {
      this.#active.delete(key);
      this.#dispatch();
    }
  }

  /** Also what was added while it was worked on has to wait. */
  #leaveAlone(key: string, until: number): void {
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
    const asked = retryAfterMs(error);
    const wait = backoff.next() + asked;
    onError?.(key, error, wait);
    if (asked > 0) this.#leaveAlone(key, performance.now() + wait);
    this.add(key, wait);
  }
}
