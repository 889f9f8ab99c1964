/**
 * The API server's wall clock, computed from the `Date` header of its responses: the one clock that all processes
 * share, so that a time which one of them wrote down means the same to the next. Dates have whole seconds (RFC 9110).
 */
export class ServerClock {
  /**
   * Milliseconds: the server's clock minus this process's monotonic one. Until a response was observed, this process's
   * own wall clock stands for the server's.
   */
  #offsetMs = performance.timeOrigin;

  /** Takes the `Date` header of a response; one that is absent or no date changes nothing. */
  observe(date: string | undefined): void {
    const at = Date.parse(date ?? '');
    if (!Number.isNaN(at)) this.#offsetMs = at - performance.now();
  }

  /**
   * A clock with the offset of the last observed response: milliseconds since the epoch. It never goes back, whatever
   * is done to either clock or observed later.
   */
  start(): () => number {
    const offsetMs = this.#offsetMs;
    return () => offsetMs + performance.now();
  }
}
