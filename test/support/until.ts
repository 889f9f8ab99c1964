import { waitFor } from './waitFor.ts';

/** Waits for a condition, asking every few milliseconds; throws an Error that names what it waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  everyMs = 5,
): Promise<void> {
  await waitFor(what, async () => condition(), { timeoutMs, everyMs });
}
