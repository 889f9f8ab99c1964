/**
 * Starts tools by Node's own child_process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import {
  closeAfterMs,
  notStarted,
  type ToolEnd,
  toolEnvironment,
  type ToolProcess,
  type ToolStreams,
} from './toolProcess.ts';

export interface SpawnStreams extends ToolStreams {
  /** Leaves the input open behind its last piece, until this process ends. */
  readonly keepInputOpen?: boolean;
}

/** A StartTool. */
export function spawnTool(file: string, args: readonly string[], streams: SpawnStreams): ToolProcess {
  const stdin = streams.input === undefined ? 'ignore' : 'pipe';
  let child: ChildProcess;
  try {
    child = spawn(file, [...args], {
      cwd: '/',
      env: toolEnvironment,
      detached: true,
      stdio: [stdin, 'pipe', 'pipe'],
    });
  } catch (error) {
    return { end: Promise.resolve(notStarted(error)), kill: () => undefined };
  }
  connect(child, streams);
  let closing: NodeJS.Timeout | undefined;
  return {
    end: endOf(child).finally(() => clearTimeout(closing)),
    kill: () => {
      killGroup(child);
      closing ??= setTimeout(() => closeOutput(child), closeAfterMs);
    },
  };
}

/**
 * A process that could not be started for want of file descriptors has no streams at all, and one that could not be
 * started for another reason asks for no input.
 */
function connect(child: ChildProcess, { input, keepInputOpen = false, onStdout, onStderr }: SpawnStreams): void {
  const { stdin, stdout, stderr }: Partial<ChildProcess> = child;
  stdout?.setEncoding('utf8').on('data', onStdout);
  stderr?.setEncoding('utf8').on('data', onStderr);
  if (input !== undefined && stdin) child.once('spawn', () => void feed(stdin, input, keepInputOpen));
}

/**
 * Writes the pieces as the tool reads them. By hand, because `pipeline` of node:stream takes 6 MiB of memory where
 * tools are fed all the time (measured, Node 24).
 */
async function feed(stdin: Writable, pieces: Iterable<Uint8Array>, keepOpen: boolean): Promise<void> {
  // A tool that ends without having read its input is judged by how it ends.
  stdin.on('error', () => undefined);
  try {
    for (const piece of pieces) {
      // Also where the tool reads at once: the rest of this process waits while a piece is made.
      await (stdin.write(piece) ? setImmediate() : writableAgain(stdin));
      if (stdin.destroyed) return;
    }
    if (!keepOpen) stdin.end();
  } catch {
    stdin.destroy();
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

function endOf(child: ChildProcess): Promise<ToolEnd> {
  return new Promise((resolve) => {
    child.on('error', (cause) => {
      if (child.pid === undefined) resolve(notStarted(cause));
    });
    child.on('close', (exitCode, signal) => resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined }));
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already, which is what was wanted.
  }
}

function closeOutput({ stdout, stderr }: Partial<ChildProcess>): void {
  stdout?.destroy();
  stderr?.destroy();
}
