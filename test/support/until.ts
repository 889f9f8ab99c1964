import { waitFor } from './waitFor.ts';

/**
 * Waits for a condition; throws an Error that names what it waited for. Asks every 5 ms where that costs nothing. Where
 * asking runs a program, it pauses twice as long as that took, up to `maxPauseMs`: the wait must not take the CPU from
 * what is waited for. What comes and goes within a moment needs a small `maxPauseMs`.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  maxPauseMs = 250,
): Promise<void> {
  await waitFor(what, async () => condition(), { timeoutMs, everyMs: 5, maxPauseMs });
}
