/**
 * @module A second kernel on this machine: User Mode Linux, a kernel that is an ordinary process. It has ip_vs, every
 * ipset type, nftables, both iptables and SCTP, of which the machine's own kernel may lack some, and the machine's file
 * system as its root, read-only.
 *
 * A program started inside tells what it saw in lines of JSON on its standard output, the kernel's console. Whoever
 * booted reads them here.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IptablesVariant } from '../../src/netfilter/xtables/chain.ts';
import { ensureKernel } from './kernelImage.ts';
import { withProcessor } from './processor.ts';

export interface BootOptions {
  /** A TypeScript file in this folder. */
  readonly program: string;
  readonly args?: readonly string[];
  /** From power-on to the end, whatever happens inside. */
  readonly timeoutMs: number;
  readonly memory?: string;
  /** The first process, which runs the program; the kernel panics where it is not there. */
  readonly init?: string;
  /** Which of the kernel's two the program `iptables` is inside. */
  readonly iptables?: IptablesVariant;
  /** Those of the kernel: all are loaded, or none is yet. */
  readonly modules?: 'loaded' | 'loadable';
  /** Gets every line of JSON. */
  readonly onLine: (line: object) => void;
}

/** From power-on to init: a third of a second on a machine that does nothing else. */
const bootTimeoutMs = 60_000;
const workTree = fileURLToPath(new URL('../..', import.meta.url));
const usualInit = fileURLToPath(new URL('init.sh', import.meta.url));
const keptLines = 40;
/** For the rest of what the kernel says: its process stays, because the first one of a process namespace does not abort. */
const lastWordsMs = 500;

/**
 * Boots a kernel, runs a program inside of it and gives the kernel's release when it has halted. Builds the kernel first
 * where that was not done. Throws, with the last lines of the console, when it does not boot, when the program does not
 * end with 0, and when it is over time.
 */
export async function runInKernel(options: BootOptions): Promise<string> {
  const directory = await ensureKernel({ progress: (line) => console.error(line) });
  return withProcessor((cpu) => boot(directory, options, cpu));
}

function boot(directory: string, options: BootOptions, cpu: number): Promise<string> {
  const { program, args = [], timeoutMs, memory = '1G', init = usualInit, onLine } = options;
  const { iptables = 'nft', modules = 'loaded' } = options;
  const command = [process.execPath, fileURLToPath(new URL(program, import.meta.url)), ...args];
  const settings = [`mem=${memory}`, `iptables=${iptables}`, `modules=${modules}`, `init=${init}`, ...codeCache()];
  const kernel = spawn(
    'setpriv',
    commandLine(cpu, [join(directory, 'linux'), `kernel=${directory}`, ...settings], command),
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      // The kernel keeps its memory there. Elsewhere it may be a file on a disk, or have 64 MB of room.
      env: { ...process.env, TMPDIR: '/run' },
    },
  );
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
function commandLine(cpu: number, kernel: readonly string[], command: readonly string[]): string[] {
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
  const hardware = [
    'console=tty0',
    'con=null',
    'con0=fd:0,fd:1',
    'uml_dir=/run',
    'quiet',
    'oops=panic',
    'dummy.numdummies=0',
  ];
  const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro'];
  return [...namespaces, ...ownMemory, ...kernel, ...hardware, ...root, '--', workTree, ...command];
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
  const reader = new ConsoleReader(kernel, onLine);
  reader.endAfter(bootTimeoutMs, `had not booted after ${bootTimeoutMs / 1000} s`, () => !reader.hasBooted);
  reader.endAfter(timeoutMs, `was not done after ${timeoutMs / 1000} s`);
  return new Promise((resolve, reject) => {
    kernel.once('error', (cause) => reject(new Error('the kernel under test cannot be started', { cause })));
    kernel.once('close', () => {
      try {
        resolve(reader.close());
      } catch (error) {
        reject(error);
      }
    });
  });
}

class ConsoleReader {
  readonly #kernel: ChildProcess;
  readonly #onLine: (line: object) => void;
  readonly #tail: string[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #release: string | undefined;
  #status: number | undefined;
  /** Why it was ended from here. */
  #end: string | undefined;

  constructor(kernel: ChildProcess, onLine: (line: object) => void) {
    this.#kernel = kernel;
    this.#onLine = onLine;
    for (const stream of [kernel.stdout, kernel.stderr])
      if (stream !== null) createInterface({ input: stream }).on('line', (text) => this.#read(text));
  }

  get hasBooted(): boolean {
    return this.#release !== undefined;
  }

  /** Ends the kernel after so long, if it is due then; `what` it did is what `close` throws. */
  endAfter(ms: number, what: string, isDue = (): boolean => true): void {
    const end = (): void => {
      if (!isDue()) return;
      this.#end ??= what;
      kill(this.#kernel);
    };
    this.#timers.push(setTimeout(end, ms));
  }

  #read(text: string): void {
    this.#tail.push(text);
    if (this.#tail.length > keptLines) this.#tail.shift();
    if (text.includes('Kernel panic - ')) this.endAfter(lastWordsMs, `ended in ${text}`);
    const line = parse(text);
    if (line === undefined) return;
    if ('kernel' in line) this.#release = String(line.kernel);
    else if ('ended' in line) this.#status = Number(line.ended);
    else this.#onLine(line);
  }

  /** The kernel's release. Throws, with the last lines of the console, when not all went well. */
  close(): string {
    for (const timer of this.#timers) clearTimeout(timer);
    const what = this.#fault();
    if (what === undefined) return this.#release ?? '';
    throw new Error([`the kernel under test ${what}; its console:`, ...this.#tail].join('\n'));
  }

  #fault(): string | undefined {
    if (this.#end !== undefined) return this.#end;
    if (this.#release === undefined) return 'did not boot';
    if (this.#status === undefined) return 'ended before its program';
    return this.#status === 0 ? undefined : `ran a program that ended with ${this.#status}`;
  }
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
