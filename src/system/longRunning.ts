/**
 * Programs that run beside the agent for as long as it does, and are started again when they end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { findProgram, splitLines, toolEnvironment } from './command.ts';

export interface LongRunningOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Written to its standard input, which stays open: the program ends when this process does. */
  readonly input?: string;
  readonly onLine?: (line: string) => void;
  /** Told at every end that was not asked for, and when there is no such program. */
  readonly onEnd: (why: string) => void;
  /** Default 5 s. */
  readonly retryMs?: number;
}

export interface LongRunning {
  stop(): Promise<void>;
}

export function keepRunning(options: LongRunningOptions): LongRunning {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const start = async (): Promise<void> => {
    const file = await findProgram(options.program);
    if (stopped) return;
    child = file === undefined ? undefined : run(file, options);
    const why = child === undefined ? 'is not installed' : await ended(child);
    if (stopped) return;
    options.onEnd(why);
    timer = setTimeout(() => {
      running = start();
    }, options.retryMs ?? 5000);
  };
  let running = start();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      child?.kill('SIGKILL');
      await running;
    },
  };
}

function run(file: string, { args, input = '', onLine = () => undefined }: LongRunningOptions): ChildProcess {
  const child = spawn(file, [...args], { env: toolEnvironment, stdio: 'pipe' });
  child.stderr.resume();
  splitLines(child.stdout, onLine);
  child.stdin.on('error', () => undefined).write(input);
  return child;
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`ended with ${code ?? signal}`));
  });
}
