/**
 * Writes the status of one object by server-side apply, at a bounded rate: the first change goes at once, later ones
 * wait for the interval to be over, and only the latest is written then. None is written sooner than the API server
 * asks for.
 */
import { isDeepStrictEqual } from 'node:util';
import { isNotFound, retryAfterMs } from './apiError.ts';
import { createBackoff } from './backoff.ts';
import type { KubeClient } from './client.ts';

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
  readonly onError?: (error: unknown, retryInMs: number | undefined) => void;
}

export interface StatusWriter {
  /** Equal to what was last written: nothing happens. `urgent`: does not wait for the interval. */
  write(status: object, options?: { readonly urgent?: boolean }): void;
  /**
   * The object was made anew, so what was written before is no longer there: the next status is written even if it is
   * equal.
   */
  forget(): void;
  /** Tries once to write what waits, and ends. */
  stop(): Promise<void>;
}

const firstRetryMs = 1000;

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

  /** Never throws: an error is told, and what was not written waits for another try. */
  async #flush(): Promise<void> {
    const status = this.#pending;
    this.#pending = undefined;
    if (status === undefined || isDeepStrictEqual(status, this.#written)) return;
    try {
      await this.#apply(status);
      this.#written = status;
      this.#backoff.reset();
      this.#nextWriteAt = performance.now() + this.#options.intervalMs * (1 + Math.random() / 5);
    } catch (error) {
      this.#keep(status, error);
    }
  }

  #keep(status: object, error: unknown): void {
    if (isNotFound(error)) {
      // Nobody to tell; whoever makes the object anew is told by the next write.
      this.#written = undefined;
      this.#options.onError?.(error, undefined);
      return;
    }
    const asked = retryAfterMs(error);
    const wait = this.#backoff.next() + asked;
    this.#pending ??= status;
    this.#nextWriteAt = performance.now() + wait;
    if (asked > 0) this.#notBefore = this.#nextWriteAt;
    this.#options.onError?.(error, this.#stopped ? undefined : wait);
  }

  async #apply(status: object): Promise<void> {
    const { client, apiVersion, kind, name, path, fieldManager } = this.#options;
    await client.send('PATCH', `${path}/status`, {
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager, force: true },
      body: { apiVersion, kind, metadata: { name }, status },
    });
  }
}
