/**
 * What a preflight that failed says.
 */
import { SyncError } from '../../netfilter/errors.ts';
import type { Refusal } from '../backend.ts';

/** Runs a check of the node: undefined where it succeeds, else why it failed. Throws what is no SyncError. */
export async function refusalFrom(check: () => Promise<void>): Promise<Refusal | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return { reason: error.reason, message: error.message };
  }
}
