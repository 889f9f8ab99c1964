/**
 * One of several processes leads, by a Lease (coordination.k8s.io/v1).
 *
 * No two clocks are compared: a follower takes the Lease when it has seen it unchanged for the whole of its duration by
 * its own monotonic clock, and a leader believes in itself only for a shorter time, counted from before it asked for
 * the renewal. So a process that was stopped and goes on knows at once that it may no longer lead.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isConflict, isNotFound } from './apiError.ts';
import type { KubeClient, SendOptions } from './client.ts';
import { microTime } from './microTime.ts';
import { retryOnConflict, sendDecided } from './retryOnConflict.ts';

/** Who competes for which Lease. */
export interface LeaderElectionOptions {
  /** Its requests should time out well within `renewDeadlineMs`. */
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Differs from that of every other process. */
  readonly identity: string;
  /** The Lease could not be taken, renewed or given back; conflicts are left out. */
  readonly onError?: (error: unknown) => void;
  readonly timing?: Partial<LeaseTiming>;
}

/** In milliseconds. */
export interface LeaseTiming {
  /** For how long followers leave a Lease alone that nobody renews. */
  readonly durationMs: number;
  /**
   * For how long at most a Lease is left alone that nobody renews, whatever it says: one that was written by hand must
   * not keep everybody from leading.
   */
  readonly maxForeignDurationMs: number;
  /**
   * For how long a leader leads after its last renewal; less than `durationMs`, so that what it has sent arrives before
   * another leads.
   */
  readonly renewDeadlineMs: number;
  /** From one try to take or renew the Lease to the next; a follower adds up to a quarter. */
  readonly retryMs: number;
}

/** A leader that was killed is replaced within durationMs + retryMs and one request. */
const defaultTiming: LeaseTiming = {
  durationMs: 12_000,
  maxForeignDurationMs: 60_000,
  renewDeadlineMs: 8000,
  retryMs: 2000,
};

/** Of an int32, which the API server would refuse to see passed. */
const maxTransitions = 2 ** 31 - 1;

/** Thrown for a write of a process that does not lead, or no longer. */
export class NotLeader extends Error {
  override readonly name = 'NotLeader';
}

interface Lease {
  readonly apiVersion: 'coordination.k8s.io/v1';
  readonly kind: 'Lease';
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion?: string };
  /** The API server takes a Lease without one. */
  readonly spec?: LeaseSpec;
}
interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** One competitor; `run` is called once. */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #timing: LeaseTiming;
  readonly #path: string;
  /** The Lease as last seen, and when this process first saw it so. */
  #seen: { readonly lease: Lease; readonly at: number } | undefined;
  #leadsUntil = -Infinity;
  #hasObservedLease = false;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  }

  /** Reads the monotonic clock: false as soon as `renewDeadlineMs` have passed since the last renewal was asked for. */
  isLeader(): boolean {
    return performance.now() < this.#leadsUntil;
  }

  /** True once a Lease was read or written; then it is known who leads. */
  get hasObservedLease(): boolean {
    return this.#hasObservedLease;
  }

  /**
   * Competes until the signal fires, and calls `lead` for each term; the term's signal fires when it is over. Then, and
   * at the end, `lead` is waited for; only after it has ended the Lease is given back, so that another may lead at
   * once. Rejects with the error of `lead`, after the Lease was given back.
   */
  async run(lead: (term: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tryOnce();
      if (this.isLeader()) await this.#serveTerm(lead, signal);
      else await pause(this.#timing.retryMs * (1 + Math.random() / 4), signal);
    }
  }

  async #serveTerm(lead: (term: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const term = new AbortController();
    const ended = new AbortController();
    const serving = lead(AbortSignal.any([term.signal, signal])).finally(() => ended.abort());
    const renewing = this.#renewUntil(ended.signal).finally(() => term.abort());
    try {
      await serving;
    } finally {
      ended.abort();
      await renewing;
      await this.#release();
    }
  }

  async #renewUntil(ended: AbortSignal): Promise<void> {
    while (!ended.aborted && this.isLeader()) {
      await pause(this.#timing.retryMs, ended);
      if (!ended.aborted && this.isLeader()) await this.#tryOnce();
    }
  }

  /** Takes or renews the Lease if that is possible now. */
  async #tryOnce(): Promise<void> {
    try {
      await retryOnConflict(() => this.#take());
      this.#hasObservedLease = true;
    } catch (error) {
      if (!isConflict(error)) this.#options.onError?.(error);
    }
  }

  /** Also a leader whose Lease somebody else has written reads who holds it now, and goes by that. */
  async #take(): Promise<void> {
    const lease = (this.isLeader() ? this.#seen?.lease : undefined) ?? (await this.#readLease());
    if (lease !== undefined && !this.#isFree(lease)) {
      this.#leadsUntil = -Infinity;
      return;
    }
    const asked = performance.now();
    const taken = await this.#send(lease, this.#specOver(lease));
    this.#seen = { lease: taken, at: asked };
    this.#leadsUntil = asked + this.#timing.renewDeadlineMs;
  }

  async #readLease(): Promise<Lease | undefined> {
    try {
      const lease = await this.#options.client.get<Lease>(`${this.#path}/${this.#options.name}`);
      if (this.#seen?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion)
        this.#seen = { lease, at: performance.now() };
      return lease;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #isFree({ spec = {} }: Lease): boolean {
    const { holderIdentity = '', leaseDurationSeconds = 0 } = spec;
    if (holderIdentity === '' || holderIdentity === this.#options.identity) return true;
    const unchangedMs = performance.now() - (this.#seen?.at ?? Infinity);
    return unchangedMs >= Math.min(leaseDurationSeconds * 1000, this.#timing.maxForeignDurationMs);
  }

  #specOver(lease: Lease | undefined): LeaseSpec {
    const { identity } = this.#options;
    const { holderIdentity, acquireTime, leaseTransitions = 0 } = lease?.spec ?? {};
    const now = microTime(new Date());
    const isRenewal = holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#timing.durationMs / 1000),
      acquireTime: isRenewal && acquireTime !== undefined ? acquireTime : now,
      renewTime: now,
      leaseTransitions: isRenewal ? leaseTransitions : Math.min(leaseTransitions + 1, maxTransitions),
    };
  }

  /** An empty holder is free to take at once. */
  async #release(): Promise<void> {
    const held = this.isLeader();
    this.#leadsUntil = -Infinity;
    if (!held) return;
    try {
      await retryOnConflict(() => this.#giveBack());
    } catch (error) {
      if (!isConflict(error)) this.#options.onError?.(error);
    }
  }

  /** Unless another has it by now. */
  async #giveBack(): Promise<void> {
    const lease = this.#seen?.lease ?? (await this.#readLease());
    if (lease?.spec?.holderIdentity !== this.#options.identity) return;
    await this.#send(lease, { ...this.#specOver(lease), holderIdentity: '', leaseDurationSeconds: 1 });
  }

  /**
   * An update carries uid and version of the object that it was decided on, and all that others have written there; two
   * that take the same Lease cannot both succeed. Throws a conflict to the one that comes too late, and the Lease is no
   * longer known then.
   */
  async #send(lease: Lease | undefined, spec: LeaseSpec): Promise<Lease> {
    const { client, name, namespace } = this.#options;
    const made = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec };
    try {
      return lease === undefined
        ? await sendDecided<Lease>(client, 'POST', this.#path, { body: made })
        : await sendDecided<Lease>(client, 'PUT', `${this.#path}/${name}`, {
            body: { ...lease, spec: { ...lease.spec, ...spec } },
          });
    } catch (error) {
      if (isConflict(error)) this.#seen = undefined;
      throw error;
    }
  }
}

/** The client, but every write asks first whether this process still leads, and rejects with NotLeader if not. */
export function writingAsLeader(client: KubeClient, isLeader: () => boolean): KubeClient {
  return {
    ...client,
    send: async <T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: SendOptions): Promise<T> => {
      if (!isLeader()) throw new NotLeader(`${method} ${path} was not sent: another operator may lead by now`);
      return client.send<T>(method, path, options);
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
