/**
 * @module iptables (xtables), both variants: loads a transaction with iptables-restore.
 */
import type { Iptables } from './iptables.ts';
import { restoreArguments } from '../transaction.ts';
import { hasNoResources, runTool, SyncError } from '../../errors.ts';

export interface RestoreRequest {
  /** Pieces of the input, read while it is written. */
  readonly input: Iterable<string>;
  readonly args?: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * Returns when the tool has reported success. Throws a SyncError: `LockHeld` where another program held the legacy
 * variant's lock for longer than 5 s, else as `runTool`.
 */
export async function restore(
  iptables: Iptables,
  { input, args = restoreArguments, signal }: RestoreRequest,
): Promise<void> {
  try {
    await runTool('iptables-restore', () => iptables.restore(args, input, signal));
  } catch (error) {
    if (iptables.variant === 'nft' || !hasNoResources(error)) throw error;
    throw new SyncError('LockHeld', 'another program holds the lock of iptables, /run/xtables.lock', {
      cause: error.cause,
      tool: error.tool,
    });
  }
}

/** Whether the tool takes a table more than once in a run, which no manual promises. Throws a SyncError. */
export async function takesBlocks(iptables: Iptables, signal: AbortSignal): Promise<boolean> {
  try {
    await restore(iptables, { args: ['--test', ...restoreArguments], input: ['*nat\nCOMMIT\n*nat\nCOMMIT\n'], signal });
    return true;
  } catch (error) {
    if (error instanceof SyncError && error.reason === 'ToolFailed') return false;
    throw error;
  }
}
