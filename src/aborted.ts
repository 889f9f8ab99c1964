/**
 * An AbortSignal as a promise.
 */
import { once } from 'node:events';

/** Resolves when the signal fires, at once where it has fired already; never rejects. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
