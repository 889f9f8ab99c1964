import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface DaemonOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** File that receives standard output and error. */
  readonly log: string;
  /** Whether the kernel kills the program when this process ends, in whatever way. */
  readonly diesWithParent: boolean;
  readonly env?: Record<string, string> | undefined;
}

/**
 * A long-running program. It has a session of its own: Ctrl-C in the terminal reaches only the process that cares for
 * it.
 */
export interface Daemon {
  readonly name: string;
  readonly pid: number;
  readonly hasEnded: () => boolean;
  /** The last lines of its log, for error messages. */
  readonly logTail: () => string;
  /** Kills it and waits for its end; no harm if it has ended. */
  kill(): Promise<void>;
}

const tailLines = 15;

export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const [file, ...args] = options.diesWithParent
    ? ['setpriv', '--pdeathsig', 'KILL', ...options.command]
    : options.command;
  if (file === undefined) throw new Error(`${options.name}: empty command`);
  const log = openSync(options.log, 'a');
  const env = { ...process.env, ...options.env };
  const child = spawn(file, args, { detached: true, stdio: ['ignore', log, log], env });
  closeSync(log);
  await started(child, options.name);
  child.unref();
  return asDaemon(child, options);
}

async function started(child: ChildProcess, name: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new Error(`${name} does not start`, { cause })));
  });
}

function asDaemon(child: ChildProcess, { name, log }: DaemonOptions): Daemon {
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    name,
    pid: child.pid ?? 0,
    hasEnded,
    logTail: () => `${log}:\n${readFileSync(log, 'utf8').trimEnd().split('\n').slice(-tailLines).join('\n')}`,
    kill: async () => {
      if (hasEnded()) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.ref();
      child.kill('SIGKILL');
      await ended;
    },
  };
}
