/**
 * Programs that run beside the agent for as long as it does, and are started again when they end.
 */
import { findProgram } from './command.ts';
import { spawnTool } from './spawnTool.ts';
import { LineSplitter } from './toolOutput.ts';
import type { ToolEnd } from './toolProcess.ts';

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
  /** Kills the program with all of its process group. Fulfilled when it has ended. */
  stop(): Promise<void>;
}

export function keepRunning(options: LongRunningOptions): LongRunning {
  let running: Running | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const start = async (): Promise<void> => {
    const file = await findProgram(options.program);
    if (stopped) return;
    running = file === undefined ? undefined : run(file, options);
    const why = await (running?.why ?? 'is not installed');
    running = undefined;
    if (stopped) return;
    options.onEnd(why);
    timer = setTimeout(() => {
      lastStart = start();
    }, options.retryMs ?? 5000);
  };
  let lastStart = start();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      running?.kill();
      await lastStart;
    },
  };
}

interface Running {
  /** How it ended. */
  readonly why: Promise<string>;
  readonly kill: () => void;
}

function run(file: string, { args, input = '', onLine = () => undefined }: LongRunningOptions): Running {
  let problem: string | undefined;
  const onError = (error: unknown): void => {
    problem = `was stopped: ${String(error)}`;
    tool.kill();
  };
  const lines = new LineSplitter({ onLine, onError });
  const tool = spawnTool(file, args, {
    input: [Buffer.from(input)],
    keepInputOpen: true,
    onStdout: (text) => lines.push(text),
    onStderr: () => undefined,
  });
  return { why: tool.end.then((end) => problem ?? describe(end)), kill: tool.kill };
}

function describe({ exitCode, signal, code }: ToolEnd): string {
  const how = exitCode ?? signal;
  return how === undefined ? `could not be run (${code})` : `ended with ${how}`;
}
