/**
 * What a preflight that failed says.
 */
import { failureOf } from '../../netfilter/errors.ts';
import type { Refusal } from '../backend.ts';

/** Runs a check of the node: undefined where it succeeds, else why it failed. Throws what is not a tool's failure. */
export async function refusalFrom(check: () => Promise<void>): Promise<Refusal | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    return failure;
  }
}
