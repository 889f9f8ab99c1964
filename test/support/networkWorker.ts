/**
 * A network namespace, and the process in it that asks and answers; the namespace lives as long as that.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { RunCommand } from '../../src/system/command.ts';
import { runCommand } from '../../src/system/command.ts';
import { Requests } from './requests.ts';

/** Without root everything stands in one user namespace, in which this user is root. */
export const isRoot = process.getuid?.() === 0;

const workerFile = new URL('worker.ts', import.meta.url).pathname;

function isolation(neighbour: Worker | undefined): readonly string[] {
  if (isRoot) return ['unshare', '-n'];
  // iptables-legacy takes its lock in /run, which is not everybody's to write.
  if (neighbour === undefined) return ['unshare', '-Urnm', 'sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'sh'];
  return ['nsenter', '-t', String(neighbour.pid), '-U', '-m', '--preserve-credentials', 'unshare', '-n'];
}

/** On a busy machine, in a kernel whose system calls cost ten times the usual. */
const setUpTimeoutMs = 120_000;

/** One namespace and the process that holds it. */
export class Worker {
  readonly #process: ChildProcess;
  readonly requests: Requests;
  /** Before that the process is still in this one's namespace. */
  readonly isolated: Promise<unknown>;

  /** `neighbour`: another namespace that this one is to have links with. */
  constructor(neighbour?: Worker, isHere = false) {
    const [file, ...args] = [...(isHere ? [] : isolation(neighbour)), process.execPath, workerFile];
    this.#process = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.requests = new Requests(this.#process);
    this.isolated = this.requests.first();
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  run: RunCommand = async (command) => {
    await this.isolated;
    const namespaces = isRoot ? ['-n'] : ['-U', '-m', '-n', '--preserve-credentials'];
    return runCommand({
      ...command,
      file: '/usr/bin/nsenter',
      args: ['-t', String(this.pid), ...namespaces, command.file, ...command.args],
    });
  };

  async shell(script: string): Promise<void> {
    await this.run({ file: '/bin/sh', args: ['-e'], input: [script], timeoutMs: setUpTimeoutMs });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#process.exitCode !== null) resolve();
      this.#process.once('exit', () => resolve());
      this.#process.stdin?.end();
    });
  }
}
