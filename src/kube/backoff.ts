/**
 * Waiting between tries.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Growing waits with jitter, so that many agents that lost the same server do not come back at the same moment. */
export interface Backoff {
  /** Milliseconds to wait now: between a half and the whole of the current step, which doubles each time. */
  next(): number;
  /** The next wait is of the first step again. */
  reset(): void;
}

/** Steps from `minMs` to at most `maxMs`; `random` gives numbers from 0 to below 1. */
export function createBackoff(
  limits: { readonly minMs: number; readonly maxMs: number },
  random: () => number = Math.random,
): Backoff {
  let step = limits.minMs;
  return {
    next(): number {
      const wait = step * (0.5 + random() / 2);
      step = Math.min(step * 2, limits.maxMs);
      return wait;
    },
    reset(): void {
      step = limits.minMs;
    },
  };
}

/** Resolves after that many milliseconds, or at once when the signal fires; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // The signal has fired.
  }
}
