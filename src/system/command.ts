/**
 * @module The only way in which this program runs another one: an absolute path and an argument array, no shell, a
 * time-out that ends the whole process group, bounded output, and errors of one type.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export interface Command {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  /** Standard input in pieces, read as the program takes them; without it the input is empty. */
  readonly input?: Iterable<string>;
  /** Gets every line of standard output; without it the output is kept, up to 1 MiB. */
  readonly onLine?: (line: string) => void;
  readonly timeoutMs: number;
  /**
   * How much longer the program may take for each KiB of input that it was given, so that little input need not wait
   * long for a program that hangs.
   */
  readonly timeoutMsPerKiB?: number;
  readonly signal?: AbortSignal;
  /**
   * For a program whose exit status speaks of its last line of input alone: any word on standard error is a failure.
   */
  readonly mustBeSilent?: boolean;
}

export type RunCommand = (command: Command) => Promise<string>;

export type CommandFailure = 'NotFound' | 'TimedOut' | 'Aborted' | 'Failed';

/**
 * A program that could not be run or did not exit with 0. `stderr` is the tool's own text: for logs, never for a
 * status.
 */
export class CommandError extends Error {
  readonly reason: CommandFailure;
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(
    reason: CommandFailure,
    message: string,
    details: { exitCode?: number | undefined; stderr?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.name = 'CommandError';
    this.reason = reason;
    this.exitCode = details.exitCode;
    this.stderr = details.stderr ?? '';
  }
}

const maxOutput = 1024 * 1024;
const maxErrorOutput = 16 * 1024;
const inputPieceBytes = 256 * 1024;
/** Nothing of the agent's own environment reaches a tool; LC_ALL=C keeps its words in one language. */
export const toolEnvironment = { LC_ALL: 'C', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
const programDirectories: readonly string[] = toolEnvironment.PATH.split(':');

/** The absolute path of a program, or undefined when none of the directories has it. */
export async function findProgram(name: string, directories = programDirectories): Promise<string | undefined> {
  for (const directory of directories) {
    const path = join(directory, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** Runs a command to its end and gives what it kept of standard output. Throws CommandError. */
export async function runCommand(command: Command): Promise<string> {
  if (command.signal?.aborted === true) throw failure(command, { reason: 'Aborted', exitCode: undefined, stderr: '' });
  const child = spawn(command.file, [...command.args], { env: toolEnvironment, detached: true, stdio: 'pipe' });
  const stderr = keepOutput(child.stderr, maxErrorOutput);
  const stdout =
    command.onLine === undefined ? keepOutput(child.stdout, maxOutput) : splitLines(child.stdout, command.onLine);
  const stop = stopper(child, command);
  try {
    const [exitCode] = await Promise.all([exitOf(child, command), feed(child, command, stop)]);
    if (stop.reason === undefined && exitCode === 0 && !(command.mustBeSilent === true && stderr() !== ''))
      return stdout();
    throw failure(command, { reason: stop.reason ?? 'Failed', exitCode, stderr: stderr() });
  } finally {
    stop.dispose();
  }
}

function failure(
  command: Command,
  details: { reason: CommandFailure; exitCode: number | undefined; stderr: string },
): CommandError {
  const outcome: Record<CommandFailure, string> = {
    NotFound: 'was not found',
    TimedOut: `did not end within ${command.timeoutMs} ms${command.timeoutMsPerKiB === undefined ? '' : ', and more for its input'}`,
    Aborted: 'was stopped',
    Failed: `ended with exit code ${details.exitCode ?? 'none'}`,
  };
  return new CommandError(details.reason, `${command.file} ${outcome[details.reason]}`, details);
}

interface Stopper {
  /** Why the program was stopped, if it was. */
  readonly reason: CommandFailure | undefined;
  /** Gives it more time. */
  extend(ms: number): void;
  dispose(): void;
}

function stopper(child: ChildProcess, { timeoutMs, signal }: Command): Stopper {
  const state: { reason: CommandFailure | undefined } = { reason: undefined };
  const stop = (reason: CommandFailure): void => {
    state.reason = reason;
    killGroup(child);
  };
  const abort = (): void => stop('Aborted');
  let deadline = performance.now() + timeoutMs;
  const arm = (): NodeJS.Timeout => setTimeout(() => stop('TimedOut'), deadline - performance.now());
  let timer = arm();
  signal?.addEventListener('abort', abort, { once: true });
  return Object.assign(state, {
    extend: (ms: number): void => {
      deadline += ms;
      clearTimeout(timer);
      timer = arm();
    },
    dispose: (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  });
}

/** A tool may have children of its own that hold its pipes open. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already, which is what was wanted.
  }
}

function exitOf(child: ChildProcess, command: Command): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    child.once('close', (code) => resolve(code ?? undefined));
    child.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new CommandError(cause.code === 'ENOENT' ? 'NotFound' : 'Failed', `${command.file} could not be run`, {
          cause,
        }),
      );
    });
  });
}

/**
 * An error while the input is being made ends the program; a program that does not read its input to the end is judged
 * by its exit code.
 */
async function feed(child: ChildProcess, { input = [], timeoutMsPerKiB = 0 }: Command, stop: Stopper): Promise<void> {
  const { stdin } = child;
  if (stdin === null) return;
  stdin.on('error', () => {});
  try {
    for (const piece of joined(input)) {
      if (timeoutMsPerKiB > 0) stop.extend((piece.length / 1024) * timeoutMsPerKiB);
      if (!stdin.write(piece)) await writableAgain(stdin);
      if (stdin.destroyed) return;
    }
    stdin.end();
  } catch (error) {
    killGroup(child);
    throw error;
  }
}

function writableAgain(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off('drain', settle).off('close', settle);
      resolve();
    };
    stream.on('drain', settle).on('close', settle);
  });
}

/** Few large writes instead of many small ones. */
function* joined(pieces: Iterable<string>): Generator<Buffer> {
  let pending = '';
  for (const piece of pieces) {
    pending += piece;
    if (pending.length < inputPieceBytes) continue;
    yield Buffer.from(pending);
    pending = '';
  }
  if (pending !== '') yield Buffer.from(pending);
}

function keepOutput(stream: Readable | null, limit: number): () => string {
  let kept = '';
  stream?.setEncoding('utf8').on('data', (text: string) => {
    if (kept.length < limit) kept += text.slice(0, limit - kept.length);
  });
  return () => kept;
}

/** Hands over whole lines, in whatever pieces they come; what it returns hands over a last one without an end. */
export function splitLines(stream: Readable | null, onLine: (line: string) => void): () => string {
  let rest = '';
  stream?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  return () => {
    if (rest !== '') onLine(rest);
    return '';
  };
}
