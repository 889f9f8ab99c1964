/**
 * @module What can go wrong between this program and the kernel's tools, under the names that a status shows. A tool's
 * own words are only in `cause`: they are for the log.
 */
import { CommandError, type CommandFailure } from '../system/command.ts';

/** A sync that did not happen; the message is ours and safe for a status, a tool's own words are only in `cause`. */
export class SyncError extends Error {
  /** CamelCase, as a condition of a status has it. */
  readonly reason: string;
  /** The program that failed, e.g. `iptables-restore`; undefined where none did. */
  readonly tool: string | undefined;

  constructor(
    reason: string,
    message: string,
    { tool, ...options }: ErrorOptions & { tool?: string | undefined } = {},
  ) {
    super(message, options);
    this.name = 'SyncError';
    this.reason = reason;
    this.tool = tool;
  }
}

/** For a tool that exited with 0 although `difference` holds. */
export function verificationFailed(tool: string, difference: string): SyncError {
  return new SyncError('VerificationFailed', `${tool} reported success, but ${difference}`);
}

/** For a program that is not here; names the Debian package that has it. */
export function toolMissing(what: string, debianPackage: string): SyncError {
  return new SyncError('ToolMissing', `${what} not installed on this node; install the package ${debianPackage}`);
}

const failures: Record<CommandFailure, readonly [reason: string, words: string]> = {
  NotFound: ['ToolMissing', 'is not installed'],
  TimedOut: ['ToolTimedOut', 'did not end in time and was stopped'],
  Aborted: ['Aborted', 'was stopped because the agent is going away'],
  Failed: ['ToolFailed', 'failed; its own words are in the log'],
};

/**
 * Runs `action`, which runs the tool, and gives its result. Throws a SyncError for a CommandError, anything else as it
 * is.
 */
export async function runTool<T>(tool: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof CommandError) {
      const [reason, words] = failures[cause.reason];
      throw new SyncError(reason, `${tool} ${words}`, { cause, tool });
    }
    throw cause;
  }
}

/**
 * Whether a tool came to an end and said that it failed: not where it was missing, too slow, killed, or waited for
 * another program's lock in vain.
 */
export function isToolFailure(error: unknown): error is SyncError {
  return (
    error instanceof SyncError &&
    error.reason === 'ToolFailed' &&
    error.cause instanceof CommandError &&
    error.cause.signal === undefined
  );
}

/**
 * Whether a tool, or the kernel through it, refused what it was given; not where it had no resources. iptables-nft says
 * so also of a chain that cannot be deleted because a rule leads there.
 */
export function isRefusal(error: unknown): boolean {
  return isToolFailure(error) && !hasNoResources(error);
}

/** iptables' own word for it (xtables.h); to the legacy variant that is the lock, for which it waits a few seconds. */
const resourceProblem = 4;

/** Whether iptables ended because the kernel had no memory for it, or another program held the lock. */
export function hasNoResources(error: unknown): error is SyncError {
  return error instanceof SyncError && error.cause instanceof CommandError && error.cause.exitCode === resourceProblem;
}

/**
 * What a failure of a tool is to a status: a reason in CamelCase and a sentence of ours; undefined for any other error.
 */
export function failureOf(error: unknown): { readonly reason: string; readonly message: string } | undefined {
  if (error instanceof SyncError) return { reason: error.reason, message: error.message };
  if (error instanceof CommandError)
    return { reason: 'ToolFailed', message: `${error.message}; its own words are in the log` };
  return undefined;
}
