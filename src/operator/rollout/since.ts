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
  /**
   * When something had last held for `ms` without a break, `now` where it has: by that a node that is in reach for some
   * minutes, and again for some, is told from one that is in reach. What holds when it is seen for the first time is
   * taken to have held for long; what does not, to have held until then.
   */
  lastSteady(subject: string, holds: boolean, ms: number): number;
}

/** What is remembered of nodes by their names, and of ProxyConfigs by their uids. */
type Aspect = 'reach' | 'answer' | 'ready' | 'assigned' | 'rollout' | 'pause';

/** Since when something holds or not, and when it had last held for long. */
interface Steadiness {
  holds: boolean;
  at: number;
  lastSteady: number;
  /** As in Seen. */
  asked: number;
}

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
  readonly #steadiness = new Map<string, Steadiness>();
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
      lastSteady: (subject, holds, ms) => this.#lastSteady(subject, { holds, ms, now }),
    };
  }

  #of(what: Aspect): Map<string, Seen> {
    const seen = this.#seen.get(what) ?? new Map<string, Seen>();
    this.#seen.set(what, seen);
    return seen;
  }

  #lastSteady(subject: string, { holds, ms, now }: { holds: boolean; ms: number; now: number }): number {
    const known = this.#steadiness.get(subject) ?? { holds, at: holds ? -Infinity : now, lastSteady: now, asked: 0 };
    this.#steadiness.set(subject, known);
    known.asked = this.#generation;
    if (known.holds && now - known.at >= ms) known.lastSteady = now;
    if (known.holds !== holds) Object.assign(known, { holds, at: now });
    return known.lastSteady;
  }

  #forget(): void {
    for (const seen of [...this.#seen.values(), this.#steadiness]) {
      for (const [subject, { asked }] of seen) if (asked !== this.#generation) seen.delete(subject);
    }
  }
}
