/**
 * Since when something has been as it is, on this process's own monotonic clock.
 *
 * Times that agents, the API server or an operator before this one wrote down are by other clocks, which may be an hour
 * off: whatever a rollout decides by time is measured here. After a restart or a change of leader it is measured anew,
 * so a wait may take longer then, never shorter.
 */
export interface Clock {
  /** Milliseconds since the epoch by the API server's clock; never goes back. */
  readonly now: number;
  /**
   * When this of the subject took this value, as far as is known here, in milliseconds since the epoch: `now`, if it is
   * seen with it for the first time.
   */
  since(what: Aspect, subject: string, value: string): number;
}

/** What is remembered of nodes by their names, and of ProxyConfigs by their uids. */
type Aspect = 'reach' | 'answer' | 'ready' | 'assigned' | 'rollout' | 'pause';

interface Seen {
  readonly value: string;
  readonly at: number;
  /** The last reconciliation that asked for it. */
  asked: number;
}

/**
 * Remembers values and since when. Asked for thousands of nodes in each reconciliation, so nothing is allocated for
 * what has not changed.
 */
export class SinceTracker {
  readonly #seen = new Map<Aspect, Map<string, Seen>>();
  #generation = 0;

  /** The clock of one reconciliation; a subject that the one before did not ask for is forgotten. */
  clockAt(now: number): Clock {
    this.#forget();
    const asked = (this.#generation += 1);
    return {
      now,
      since: (what, subject, value) => {
        const seen = this.#of(what);
        const known = seen.get(subject);
        if (known?.value !== value) {
          seen.set(subject, { value, at: now, asked });
          return now;
        }
        known.asked = asked;
        return known.at;
      },
    };
  }

  #of(what: Aspect): Map<string, Seen> {
    const seen = this.#seen.get(what) ?? new Map<string, Seen>();
    this.#seen.set(what, seen);
    return seen;
  }

  #forget(): void {
    for (const seen of this.#seen.values()) {
      for (const [subject, { asked }] of seen) if (asked !== this.#generation) seen.delete(subject);
    }
  }
}
