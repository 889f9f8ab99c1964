/**
 * Programs that run beside the agent for as long as it does, and are started again when they end.
 */
import { CommandError, findProgram, maxErrorOutput, reasonOfEnd, wordsOfEnd } from './command.ts';
import { spawnTool } from './spawnTool.ts';
import { KeptText, LineSplitter } from './toolOutput.ts';

export interface LongRunningOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Written to its standard input, which stays open: the program ends when this process does. */
  readonly input?: string;
  readonly onLine?: (line: string) => void;
  /** Told once after each start, at the first line of output: by then it does what it is for. */
  readonly onReady?: () => void;
  /**
   * Told at every end that was not asked for, and when there is no such program: `Killed` where a signal from elsewhere
   * ended it, `NotFound` or `Failed`.
   */
  readonly onEnd: (why: CommandError) => void;
  /** Until it is started again, in ms: twice as long each time, and anew once it was ready. Default 5,000. */
  readonly minRetryMs?: number;
  /** Default 60,000. */
  readonly maxRetryMs?: number;
}

export interface LongRunning {
  /** Kills the program with all of its process group. Fulfilled when it has ended. */
  stop(): Promise<void>;
}

export function keepRunning(options: LongRunningOptions): LongRunning {
  const { minRetryMs = 5000, maxRetryMs = 60_000 } = options;
  let running: Running | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let retryMs = minRetryMs;
  const onReady = (): void => {
    retryMs = minRetryMs;
    if (!stopped) options.onReady?.();
  };
  const start = async (): Promise<void> => {
    const file = await findProgram(options.program);
    if (stopped) return;
    running = file === undefined ? undefined : run(file, { ...options, onReady });
    const why = await (running?.why ?? failure(options.program, { code: 'ENOENT' }));
    running = undefined;
    if (stopped) return;
    options.onEnd(why);
    timer = setTimeout(() => {
      lastStart = start();
    }, retryMs);
    retryMs = Math.min(retryMs * 2, maxRetryMs);
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
  readonly why: Promise<CommandError>;
  readonly kill: () => void;
}

function run(file: string, { program, args, input = '', onLine, onReady }: LongRunningOptions): Running {
  let problem: unknown;
  let isReady = false;
  const onFirstLine = (): void => {
    isReady = true;
    onReady?.();
  };
  const lines = new LineSplitter({
    onLine: (line) => {
      if (!isReady) onFirstLine();
      onLine?.(line);
    },
    onError: (error) => {
      problem = error;
      tool.kill();
    },
  });
  const stderr = new KeptText(maxErrorOutput);
  const tool = spawnTool(file, args, {
    input: [Buffer.from(input)],
    keepInputOpen: true,
    onStdout: (text) => lines.push(text),
    onStderr: (text) => stderr.push(text),
  });
  const why = tool.end.then((end) =>
    problem === undefined ? failure(program, { ...end, stderr: stderr.text }) : stoppedBy(program, problem),
  );
  return { why, kill: tool.kill };
}

type End = NonNullable<ConstructorParameters<typeof CommandError>[2]>;

function failure(program: string, end: End): CommandError {
  return new CommandError(reasonOfEnd(end), `${program} ${wordsOfEnd(end)}`, end);
}

function stoppedBy(program: string, cause: unknown): CommandError {
  return new CommandError('Failed', `${program} was stopped`, { cause });
}
