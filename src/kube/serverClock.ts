/**
 * The API server's wall clock, as the date of its answers tells it: the one clock that all processes share, so that a
 * time which one of them wrote down means the same to the next. Dates have whole seconds.
 */
export class ServerClock {
  /**
   * Of the server's clock minus this process's monotonic one, in milliseconds; by the own wall clock until an answer
   * has come.
   */
  #ahead = performance.timeOrigin;

  /** Takes the `date` header of an answer. */
  hear(date: string | undefined): void {
    const at = Date.parse(date ?? '');
    if (!Number.isNaN(at)) this.#ahead = at - performance.now();
  }

  /** Milliseconds since the epoch, from the last answer on; never goes back, whatever is done to either clock later. */
  start(): () => number {
    const ahead = this.#ahead;
    return () => ahead + performance.now();
  }
}
