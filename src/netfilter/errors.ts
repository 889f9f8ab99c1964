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
  Killed: ['ToolKilled', 'was ended by a signal'],
  Failed: ['ToolFailed', 'failed; its own words are in the log'],
};

/** By which the kernel ends a program for a fault of its own (signal(7), "Core"). */
const crashes: ReadonlySet<string> = new Set(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV']);

/** What a status says of a tool that came to no good end. */
export function toolError(tool: string, cause: CommandError): SyncError {
  const [reason, words] = failures[cause.reason];
  const isKilled = cause.reason === 'Killed' && cause.signal !== undefined;
  return new SyncError(reason, `${tool} ${isKilled ? wordsOfSignal(cause.signal) : words}`, { cause, tool });
}

/** nft 1.0.6, for one, dies of what nft 1.1.2 and newer have declared in any table of the node (seen with 1.1.3). */
function wordsOfSignal(signal: string): string {
  return crashes.has(signal)
    ? `died of ${signal}, mostly of what newer software wrote into the kernel: use the product's image, or a newer package`
    : `was ended by ${signal}, which the agent did not send; is the node short of memory? Its kernel log says so`;
}

/**
 * Runs `action`, which runs the tool, and gives its result. Throws a SyncError for a CommandError, anything else as it
 * is.
 */
export async function runTool<T>(tool: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw cause instanceof CommandError ? toolError(tool, cause) : cause;
  }
}

/**
 * Whether a tool came to an end and said that it failed: not where it was missing, too slow, killed, or waited for
 * another program's lock in vain.
 */
export function isToolFailure(error: unknown): error is SyncError {
  return error instanceof SyncError && error.reason === 'ToolFailed' && error.cause instanceof CommandError;
}

/**
 * Whether a tool, or the kernel through it, refused what it was given; not where it had no resources. iptables-nft says
 * so also of a chain that cannot be deleted because a rule leads there.
 */
export function isRefusal(error: unknown): boolean {
  return isToolFailure(error) && !hasNoResources(error);
}

/** iptables' own word for what it does not know (xtables.h). */
const versionProblem = 3;

/** Whether iptables met something that it cannot read, such as a rule of nft's in a table that both have. */
export function isUnknownToTool(error: unknown): boolean {
  return isToolFailure(error) && error.cause instanceof CommandError && error.cause.exitCode === versionProblem;
}

/** iptables' own word for it (xtables.h); to the legacy variant that is the lock, for which it waits a few seconds. */
const resourceProblem = 4;

/** Whether iptables ended because the kernel had no memory for it, or another program held the lock. */
export function hasNoResources(error: unknown): error is SyncError {
  return error instanceof SyncError && error.cause instanceof CommandError && error.cause.exitCode === resourceProblem;
}
