/**
 * Starts tools by execa.
 */
import { execa, type Options, type Result, type ResultPromise } from 'execa';
import {
  closeAfterMs,
  notStarted,
  type ToolEnd,
  toolEnvironment,
  type ToolProcess,
  type ToolStreams,
} from './toolProcess.ts';

const options = {
  cwd: '/',
  env: toolEnvironment,
  extendEnv: false,
  // The process group: `detached`, and each kill goes to all of it.
  killDescendants: true,
  killSignal: 'SIGKILL',
  forceKillAfterDelay: false,
  // Else it listens for the signals and the exit of this process.
  cleanup: false,
  // The output is read as it comes: execa's own bound would kill a tool that says too much.
  buffer: false,
  // Else NODE_DEBUG=execa prints what tools say.
  verbose: 'none',
  reject: false,
} as const satisfies Options;

/** A StartTool. */
export function execaTool(file: string, args: readonly string[], streams: ToolStreams): ToolProcess {
  let child: Tool;
  try {
    child = start(file, args, streams.input);
  } catch (error) {
    return { end: Promise.resolve(notStarted(error)), kill: () => undefined };
  }
  const { stdout, stderr } = child;
  stdout.setEncoding('utf8').on('data', streams.onStdout);
  stderr.setEncoding('utf8').on('data', streams.onStderr);
  let closing: NodeJS.Timeout | undefined;
  const close = (): void => {
    stdout.destroy();
    stderr.destroy();
  };
  return {
    end: child.then(endOf).finally(() => clearTimeout(closing)),
    kill: () => {
      child.kill();
      closing ??= setTimeout(close, closeAfterMs);
    },
  };
}

type Tool = ResultPromise<typeof options & { stdin: Iterable<Uint8Array> | 'ignore' }>;

function start(file: string, args: readonly string[], input: ToolStreams['input']): Tool {
  return execa(file, [...args], { ...options, stdin: input ?? 'ignore' });
}

function endOf({ exitCode, signal, cause }: Result<typeof options>): ToolEnd {
  return exitCode === undefined && signal === undefined ? notStarted(cause) : { exitCode, signal };
}
