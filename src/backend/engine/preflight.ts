/**
 * What a preflight that failed says.
 */
import { CommandError } from '../../system/command.ts';
import { SyncError } from '../../netfilter/errors.ts';
import type { Refusal } from '../backend.ts';

/** Runs a check of the node: undefined where it succeeds, else why it failed. Throws what is not a tool's failure. */
export async function refusalFrom(check: () => Promise<void>): Promise<Refusal | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (error instanceof SyncError) return { reason: error.reason, message: error.message };
    if (error instanceof CommandError)
      return { reason: 'ToolFailed', message: `${error.message}; its own words are in the log` };
    throw error;
  }
}
