/**
 * Runs a tool to its end: with a time-out, input in pieces, bounded output, and errors of one type.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnTool } from './spawnTool.ts';
import { KeptText, LineSplitter, LongLineError } from './toolOutput.ts';
import { type StartTool, type ToolEnd, toolEnvironment, type ToolProcess } from './toolProcess.ts';

export interface Command {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  /**
   * Standard input in pieces, taken as the program reads them; without it the input is empty. An error in making them
   * kills the program.
   */
  readonly input?: Iterable<string>;
  /**
   * Gets every line of standard output; without it the output is kept, up to 1 MiB. An error that it throws kills the
   * program, as does a line that is longer than that.
   */
  readonly onLine?: (line: string) => void;
  /** When it is over, the program and all of its process group are killed. */
  readonly timeoutMs: number;
  /**
   * How much longer the program may take for each KiB of input that it was given, so that little input need not wait
   * long for a program that hangs.
   */
  readonly timeoutMsPerKiB?: number;
  /** Kills the program and all of its process group; one that fired already lets nothing start. */
  readonly signal?: AbortSignal;
  /**
   * For a program whose exit status speaks of its last line of input alone: any word on standard error is a failure.
   */
  readonly mustBeSilent?: boolean;
}

export type RunCommand = (command: Command) => Promise<string>;

/** Where the programs are and how they are run; tests replace it. */
export interface ToolHost {
  readonly run?: RunCommand;
  /** Gives a program's absolute path; without it the usual directories are searched. */
  readonly find?: (name: string) => Promise<string | undefined>;
}

/**
 * `Killed`: ended by a signal that was not sent from here. `Failed` is all that is none of the others: an exit code, a
 * file that is no program.
 */
export type CommandFailure = 'NotFound' | 'TimedOut' | 'Aborted' | 'Killed' | 'Failed';

/** A program that could not be run or did not exit with 0. */
export class CommandError extends Error {
  readonly reason: CommandFailure;
  /** undefined when the program did not start or was ended by a signal. */
  readonly exitCode: number | undefined;
  /** The signal that ended the program, e.g. `SIGSEGV`; `SIGKILL` also when it was killed from here. */
  readonly signal: string | undefined;
  /** The tool's own text, up to 16 KiB: for logs, never for a status. */
  readonly stderr: string;

  constructor(reason: CommandFailure, message: string, details: ToolEnd & { readonly stderr?: string } = {}) {
    super(message, { cause: details.cause });
    this.name = 'CommandError';
    this.reason = reason;
    this.exitCode = details.exitCode;
    this.signal = details.signal;
    this.stderr = details.stderr ?? '';
  }
}

const maxOutput = 1024 * 1024;
/** Of standard error, in characters. */
export const maxErrorOutput = 16 * 1024;
const inputPieceBytes = 256 * 1024;
const inputPieceMs = 20;
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

/**
 * Runs a command to its end and returns what was kept of standard output: nothing where onLine got it. A program that
 * does not read its input to the end is judged by how it ends.
 *
 * Throws CommandError, or as it is what `input` or `onLine` threw. After a time-out, the signal or an error no process
 * of the program's group is left; one that left the group may go on, and is waited for no more than a second.
 */
export async function runCommand(command: Command, startTool: StartTool = spawnTool): Promise<string> {
  if (command.signal?.aborted === true) throw failure(command, 'Aborted');
  const stopper = new Stopper(command);
  try {
    return await runUntilStopped(command, startTool, stopper);
  } finally {
    stopper.dispose();
  }
}

async function runUntilStopped(command: Command, startTool: StartTool, stopper: Stopper): Promise<string> {
  const { file, args, input, onLine, mustBeSilent = false } = command;
  const stderr = new KeptText(maxErrorOutput);
  const stdout = new KeptText(maxOutput);
  const lines = onLine && new LineSplitter({ onLine, onError: (error) => stopper.stop({ error }) });
  const tool = startTool(file, args, {
    input: input && piecesOf(input, command, stopper),
    onStdout: (text) => (lines ?? stdout).push(text),
    onStderr: (text) => stderr.push(text),
  });
  stopper.tool = tool;
  const end = await tool.end;
  if (stopper.cause !== undefined && 'error' in stopper.cause) throw outward(stopper.cause.error, command);
  const reason = stopper.cause?.reason ?? failureReason(end, mustBeSilent && stderr.text !== '');
  if (reason !== undefined) throw failure(command, reason, end, stderr.text);
  lines?.end();
  return stdout.text;
}

/** A line that is too long is the tool's failure; any other error is that of who fed or read it. */
function outward(cause: unknown, { file }: Command): unknown {
  return cause instanceof LongLineError
    ? new CommandError('Failed', `${file} printed ${cause.message}`, { cause })
    : cause;
}

function failureReason(end: ToolEnd, hasComplained: boolean): CommandFailure | undefined {
  return end.exitCode === 0 && !hasComplained ? undefined : reasonOfEnd(end);
}

/** What a program's end is called where that is a failure, and it was not stopped from here. */
export function reasonOfEnd({
  exitCode,
  signal,
  code,
}: ToolEnd): Extract<CommandFailure, 'NotFound' | 'Killed' | 'Failed'> {
  if (signal !== undefined) return 'Killed';
  return exitCode === undefined && code === 'ENOENT' ? 'NotFound' : 'Failed';
}

function failure(command: Command, reason: CommandFailure, end: ToolEnd = {}, stderr = ''): CommandError {
  return new CommandError(reason, `${command.file} ${outcome(command, reason, end)}`, { ...end, stderr });
}

function outcome({ timeoutMs, timeoutMsPerKiB = 0 }: Command, reason: CommandFailure, end: ToolEnd): string {
  if (reason === 'Aborted') return 'was stopped';
  if (reason === 'TimedOut')
    return `did not end within ${timeoutMs} ms${timeoutMsPerKiB === 0 ? '' : ', and more for its input'}`;
  return `${wordsOfEnd(end)}${end.exitCode === 0 ? ', but complained' : ''}`;
}

/** How a program ended, for a log: `was ended by SIGSEGV`. */
export function wordsOfEnd({ exitCode, signal, code }: ToolEnd): string {
  if (signal !== undefined) return `was ended by ${signal}`;
  if (exitCode !== undefined) return `ended with exit code ${exitCode}`;
  return code === 'ENOENT' ? 'was not found' : `could not be run (${code ?? 'unknown error'})`;
}

/** Why a program was stopped before it ended by itself. */
type StopCause = { readonly reason: 'TimedOut' | 'Aborted' } | { readonly error: unknown };

/** Kills one program when its time is over, when the command's signal fires, or when told to. */
class Stopper {
  tool: ToolProcess | undefined;
  /** The first one, of a program that was stopped. */
  cause: StopCause | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.stop({ reason: 'Aborted' });
  #deadline: number;
  #timer: NodeJS.Timeout;

  constructor({ timeoutMs, signal }: Command) {
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort, { once: true });
    this.#deadline = performance.now() + timeoutMs;
    this.#timer = this.#arm();
  }

  stop(cause: StopCause): void {
    this.cause ??= cause;
    this.tool?.kill();
  }

  /** Gives the program more time. */
  extend(ms: number): void {
    this.#deadline += ms;
    clearTimeout(this.#timer);
    this.#timer = this.#arm();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  #arm(): NodeJS.Timeout {
    return setTimeout(() => this.stop({ reason: 'TimedOut' }), this.#deadline - performance.now());
  }
}

/** The input in few large pieces instead of many small ones; each gives the program the time that it is worth. */
function* piecesOf(input: Iterable<string>, { timeoutMsPerKiB = 0 }: Command, stopper: Stopper): Generator<Buffer> {
  try {
    for (const piece of joined(input)) {
      if (timeoutMsPerKiB > 0) stopper.extend((piece.length / 1024) * timeoutMsPerKiB);
      yield piece;
    }
  } catch (error) {
    stopper.stop({ error });
    throw error;
  }
}

/** Where the pieces take long to make, what there is comes early, so that other work is done in between. */
function* joined(pieces: Iterable<string>): Generator<Buffer> {
  let pending = '';
  let since = performance.now();
  for (const piece of pieces) {
    pending += piece;
    if (pending.length < inputPieceBytes && performance.now() - since < inputPieceMs) continue;
    yield Buffer.from(pending);
    pending = '';
    since = performance.now();
  }
  if (pending !== '') yield Buffer.from(pending);
}
