/**
 * @module A second kernel on this machine: User Mode Linux, a kernel that is an ordinary process. It has ip_vs, every
 * ipset type and SCTP, which the machine's own kernel may lack, and the machine's file system as its root, read-only.
 *
 * A program started inside tells what it saw in lines of JSON on its standard output, the kernel's console. Whoever
 * booted reads them here.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withProcessor } from './processor.ts';

export interface BootOptions {
  /** A TypeScript file in this folder. */
  readonly program: string;
  readonly args?: readonly string[];
  /** From power-on to the end, whatever happens inside. */
  readonly timeoutMs: number;
  readonly memory?: string;
  /** Those of the kernel: all are loaded, or none is yet. */
  readonly modules?: 'loaded' | 'loadable';
  /** Gets every line of JSON. */
  readonly onLine: (line: object) => void;
}

const workTree = fileURLToPath(new URL('../..', import.meta.url));
const init = fileURLToPath(new URL('init.sh', import.meta.url));
const keptLines = 40;

/**
 * Boots a kernel, runs a program inside of it and gives the kernel's release when it has halted. Throws, with the last
 * lines of the console, when it does not boot, when the program does not end with 0, and when it is over time.
 */
export function runInKernel(options: BootOptions): Promise<string> {
  return withProcessor((cpu) => boot(options, cpu));
}

function boot(
  { program, args = [], timeoutMs, memory = '1G', modules = 'loaded', onLine }: BootOptions,
  cpu: number,
): Promise<string> {
  const command = [process.execPath, fileURLToPath(new URL(program, import.meta.url)), ...args];
  const settings = [`mem=${memory}`, `modules=${modules}`, ...codeCache()];
  const kernel = spawn('setpriv', commandLine(cpu, settings, command), {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const killKernel = (): void => kill(kernel);
  process.once('exit', killKernel);
  const started = performance.now();
  return readConsole(kernel, { timeoutMs, onLine }).finally(() => {
    process.off('exit', killKernel);
    process.stdout.write(
      `kernel under test: ${[basename(program), ...args].join(' ')}: ${((performance.now() - started) / 1000).toFixed(0)} s\n`,
    );
  });
}

/** Node's compile cache is the one folder of the machine that is written to from inside. */
function codeCache(): string[] {
  const folder = process.env['NODE_COMPILE_CACHE'];
  if (folder === undefined) return [];
  mkdirSync(folder, { recursive: true });
  return [`codecache=${folder}`];
}

/**
 * All processes of the kernel stand in one process namespace and end with its first one, also when this process is
 * killed; its files are in memory that only they see, and go with them.
 */
function commandLine(cpu: number, settings: readonly string[], command: readonly string[]): string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const namespaces = [
    '--pdeathsig',
    'KILL',
    'taskset',
    '--cpu-list',
    String(cpu),
    'unshare',
    ...asRoot,
    '--mount',
    '--pid',
    '--fork',
    '--kill-child=KILL',
  ];
  const ownMemory = ['sh', '-c', 'mount -t tmpfs uml /run && exec "$@"', 'sh'];
  const hardware = ['console=tty0', 'con=null', 'con0=fd:0,fd:1', 'uml_dir=/run', 'quiet'];
  const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro'];
  return [
    ...namespaces,
    ...ownMemory,
    'linux.uml',
    ...settings,
    ...hardware,
    ...root,
    `init=${init}`,
    '--',
    workTree,
    ...command,
  ];
}

function kill({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  process.kill(-pid, 'SIGKILL');
}

interface Reading {
  readonly timeoutMs: number;
  readonly onLine: (line: object) => void;
}

function readConsole(kernel: ChildProcess, { timeoutMs, onLine }: Reading): Promise<string> {
  const tail: string[] = [];
  const seen: { release?: string; status?: number; isLate?: boolean } = {};
  const read = (text: string): void => {
    tail.push(text);
    if (tail.length > keptLines) tail.shift();
    const line = parse(text);
    if (line === undefined) return;
    if ('kernel' in line) seen.release = String(line.kernel);
    else if ('ended' in line) seen.status = Number(line.ended);
    else onLine(line);
  };
  const fault = (): string | undefined => {
    if (seen.isLate === true) return `was not done after ${timeoutMs / 1000} s`;
    if (seen.release === undefined) return 'did not boot';
    if (seen.status === undefined) return 'ended before its program';
    return seen.status === 0 ? undefined : `ran a program that ended with ${seen.status}`;
  };
  const timer = setTimeout(() => {
    seen.isLate = true;
    kill(kernel);
  }, timeoutMs);
  for (const stream of [kernel.stdout, kernel.stderr])
    if (stream !== null) createInterface({ input: stream }).on('line', read);
  return new Promise((resolve, reject) => {
    kernel.once('error', (cause) => reject(new Error('the kernel under test cannot be started', { cause })));
    kernel.once('close', () => {
      clearTimeout(timer);
      const what = fault();
      if (what === undefined) resolve(seen.release ?? '');
      else reject(new Error([`the kernel under test ${what}; its console:`, ...tail].join('\n')));
    });
  });
}

/** The kernel and the tools write to the same console. */
function parse(text: string): object | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
