/** Stacks that were sampled -> how much time each function took, by itself and with all that it called. */

export interface FunctionTime {
  readonly what: string;
  readonly ownMs: number;
  readonly totalMs: number;
}

export class FunctionTimes {
  readonly #times = new Map<string, { ownMs: number; totalMs: number }>();

  /** `stack`: what ran, before it who called it, and so on. A function that calls itself is counted once. */
  add(stack: readonly string[], ms: number): void {
    for (const what of new Set(stack)) {
      const time = this.#times.get(what) ?? { ownMs: 0, totalMs: 0 };
      time.ownMs += what === stack[0] ? ms : 0;
      time.totalMs += ms;
      this.#times.set(what, time);
    }
  }

  /** Milliseconds of all samples. */
  sum(): number {
    return [...this.#times.values()].reduce((sum, { ownMs }) => sum + ownMs, 0);
  }

  /** Those that took most by themselves, the largest first. */
  largest(count: number): readonly FunctionTime[] {
    return [...this.#times]
      .map(([what, { ownMs, totalMs }]) => ({ what, ownMs, totalMs }))
      .toSorted((a, b) => b.ownMs - a.ownMs)
      .slice(0, count);
  }
}
