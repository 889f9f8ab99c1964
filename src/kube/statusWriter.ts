/**
 * Writes the status of one object by server-side apply, at a bounded rate: the first change goes at once, later ones
 * wait for the interval to be over, and only the latest is written then. None is written sooner than the API server
 * asks for.
 *
 * The status names no resourceVersion and takes over what other field managers own (`force`), because one writer alone
 * knows what is true: so the API server itself tries again where the object changes meanwhile. A conflict that comes
 * nevertheless, as from an admission webhook, is no failure: it is tried again with the status that is latest then.
 */
import { isDeepStrictEqual } from 'node:util';
import { isConflict, isNotFound, retryAfterMs } from './apiError.ts';
import { createBackoff } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { retryOnConflict } from './retryOnConflict.ts';

/** Which object, and how often. */
export interface StatusWriterOptions {
  readonly client: KubeClient;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** The object's path; the status subresource is under it. */
  readonly path: string;
  readonly fieldManager: string;
  /**
   * Milliseconds from one write to the next; lengthened by up to a fifth, so that many writers do not write in step.
   */
  readonly intervalMs: number;
  /** A write failed, other than by a conflict; undefined where it is not tried again by itself. */
  readonly onError?: (error: unknown, retryInMs: number | undefined) => void;
}

/** No method throws or rejects because of the API server. */
export interface StatusWriter {
  /**
   * Replaces what waits. Nothing is written where it equals what was last written, or after `stop`. `urgent`: does not
   * wait for the interval, but for Retry-After.
   */
  write(status: object, options?: { readonly urgent?: boolean }): void;
  /**
   * The object was made anew, so what was written before is no longer there: the next status is written even if it is
   * equal.
   */
  forget(): void;
  /** Tries once to write what waits, and resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

const firstRetryMs = 1000;

/** Starts nothing before the first `write`. */
export function createStatusWriter(options: StatusWriterOptions): StatusWriter {
  return new PacedWriter(options);
}

class PacedWriter implements StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #backoff;
  #pending: object | undefined;
  #written: object | undefined;
  #nextWriteAt = 0;
  /** Until when the API server asked to be left alone. */
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#backoff = createBackoff({ minMs: firstRetryMs, maxMs: Math.max(firstRetryMs, options.intervalMs) });
  }

  write(status: object, { urgent = false } = {}): void {
    if (this.#stopped) return;
    this.#pending = status;
    if (urgent) this.#nextWriteAt = 0;
    this.#schedule();
  }

  forget(): void {
    this.#written = undefined;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#flush();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#writing !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#writing = this.#flush().finally(() => {
          this.#writing = undefined;
          if (this.#pending !== undefined && !this.#stopped) this.#schedule();
        });
      },
      Math.max(0, Math.max(this.#nextWriteAt, this.#notBefore) - performance.now()),
    );
  }

  /** Never throws: an error goes to onError, and what was not written waits for another try. */
  async #flush(): Promise<void> {
    if (isDeepStrictEqual(this.#pending, this.#written)) this.#pending = undefined;
    if (this.#pending === undefined) return;
    try {
      this.#written = await retryOnConflict(() => this.#applyLatest());
      this.#backoff.reset();
      this.#nextWriteAt = performance.now() + this.#options.intervalMs * (1 + Math.random() / 5);
    } catch (error) {
      this.#scheduleRetry(error);
    }
  }

  /** Returns what was written; what was not stays pending, unless something newer is or the object does not exist. */
  async #applyLatest(): Promise<object | undefined> {
    const status = this.#pending;
    this.#pending = undefined;
    const { client, apiVersion, kind, name, path, fieldManager } = this.#options;
    try {
      await client.send('PATCH', `${path}/status`, {
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager, force: true },
        body: { apiVersion, kind, metadata: { name }, status },
      });
    } catch (error) {
      if (!isNotFound(error)) this.#pending ??= status;
      throw error;
    }
    return status;
  }

  #scheduleRetry(error: unknown): void {
    if (isNotFound(error)) {
      // An object made anew gets the next write, even an equal one.
      this.#written = undefined;
      this.#options.onError?.(error, undefined);
      return;
    }
    if (isConflict(error)) {
      this.#nextWriteAt = performance.now() + this.#options.intervalMs;
      return;
    }
    const retryAfter = retryAfterMs(error);
    const wait = this.#backoff.next() + retryAfter;
    this.#nextWriteAt = performance.now() + wait;
    if (retryAfter > 0) this.#notBefore = this.#nextWriteAt;
    this.#options.onError?.(error, this.#stopped ? undefined : wait);
  }
}
