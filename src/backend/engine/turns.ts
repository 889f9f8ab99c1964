/**
 * Long computations in turns: health checks and the API server are answered in between.
 */
import { setImmediate } from 'node:timers/promises';

/** A computation that may be interrupted wherever it yields; it returns its result. */
export type Turns<Result> = Generator<undefined, Result>;

/** How long the rest of the process may wait. */
const maxTurnMs = 20;

/** Lets the rest of the process run now and then. */
export class Pauses {
  #since = performance.now();

  /** Resolves at once until 20 ms after the last pause, then when everything that waits has run. */
  async takeDue(): Promise<void> {
    if (performance.now() - this.#since < maxTurnMs) return;
    await setImmediate();
    this.#since = performance.now();
  }
}

/** A result that is there already. */
// oxlint-disable-next-line eslint/require-yield -- there is nothing to interrupt
export function* computed<Result>(result: Result): Turns<Result> {
  return result;
}

/** The result, computed at once. */
export function atOnce<Result>(turns: Turns<Result>): Result {
  let step = turns.next();
  while (step.done !== true) step = turns.next();
  return step.value;
}

/** The result; the rest of the process runs in between. Throws what the computation throws. */
export async function inTurns<Result>(turns: Turns<Result>, pauses: Pauses): Promise<Result> {
  let step = turns.next();
  while (step.done !== true) {
    await pauses.takeDue();
    step = turns.next();
  }
  return step.value;
}
