/**
 * When it is reported that rules may be lost: each report has the kernel read.
 */
/** One flush is many events: they are reported once, so long after the first. */
const debounceMs = 10;
/**
 * Other programs delete rules of their own beside ours, some all the time, and each report has the kernel read: of
 * those events there is one report in so long a time.
 */
const othersIntervalMs = 5000;

/** Of one family. */
export class LossReports {
  readonly #report: () => void;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  /** Of the last report that was made only for what may be others'. */
  #othersReportedAt = -Infinity;

  constructor(report: () => void) {
    this.#report = report;
  }

  /** Something is lost; `mayBeOthers`: perhaps nothing of ours. */
  request(mayBeOthers: boolean): void {
    const now = performance.now();
    const soonest = now + debounceMs;
    const dueAt = mayBeOthers ? Math.max(soonest, this.#othersReportedAt + othersIntervalMs) : soonest;
    if (dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#fire(mayBeOthers), dueAt - now);
  }

  /** Nothing is reported any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #fire(mayBeOthers: boolean): void {
    this.#dueAt = Infinity;
    if (mayBeOthers) this.#othersReportedAt = performance.now();
    this.#report();
  }
}
