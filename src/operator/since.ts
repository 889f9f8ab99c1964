/**
 * Since when something has been as it is, on this process's own monotonic clock.
 *
 * Times that agents, the API server or an operator before this one wrote down are by other clocks, which may be an hour off:
 * whatever a rollout decides by time is measured here. After a restart or a change of leader it is measured anew, so a wait may
 * take longer then, never shorter.
 */
export interface Clock {
  /** Milliseconds since the epoch by the API server's clock; never goes back. */
  readonly now: number;
  /** When the subject took this value, as far as is known here: now, if it is seen with it for the first time. */
  since(subject: string, value: string): number;
}

interface Seen {
  readonly value: string;
  readonly at: number;
}

export class SinceMemory {
  #seen: ReadonlyMap<string, Seen> = new Map();

  /** A look at everything; a subject that the look before did not ask for is forgotten. */
  turn(now: number): Clock {
    const before = this.#seen;
    const seen = new Map<string, Seen>();
    this.#seen = seen;
    return {
      now,
      since: (subject, value) => {
        const known = seen.get(subject) ?? before.get(subject);
        const at = known?.value === value ? known.at : now;
        seen.set(subject, { value, at });
        return at;
      },
    };
  }
}
