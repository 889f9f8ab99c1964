/** What a program and its children cost, as /proc counts it. */
import { readFileSync, readlinkSync } from 'node:fs';

/** A program alone, and its children: its tools, and what those start. */
export interface Share {
  readonly own: number;
  readonly children: number;
}

/**
 * Seconds of CPU, user and system, that a program has used, and that its live children and all that it waited for have
 * used; the kernel counts in steps of 10 ms.
 */
export function cpuOf(pid: number): Share {
  const [own, waitedFor] = ticksOf(pid);
  const children = treeOf(pid)
    .slice(1)
    .flatMap((child) => ticksOf(child));
  return { own: own / 100, children: children.reduce((sum, ticks) => sum + ticks, waitedFor) / 100 };
}

/** Of both. */
export function cpuSeconds(pid: number): number {
  const { own, children } = cpuOf(pid);
  return own + children;
}

/** Resident memory, in MiB. */
export function residentMiB(pid: number): Share {
  const [own = 0, ...children] = programsOf(pid).map((each) => memoryKiB(each, 'VmRSS'));
  return { own: own / 1024, children: children.reduce((sum, each) => sum + each, 0) / 1024 };
}

/** The most memory, in MiB. */
export interface Peak {
  /** Of the program alone, as the kernel keeps it. */
  readonly own: number;
  /** Of the program and its children together, as it was seen. */
  readonly tree: number;
}

/** Looks every 50 ms how much memory the tree has, until it is asked for the most that it had. */
export function watchPeak(pid: number): () => Peak {
  let peak: Peak = { own: 0, tree: 0 };
  const look = (): void => {
    const { own, children } = residentMiB(pid);
    const highest = memoryKiB(pid, 'VmHWM') / 1024;
    peak = { own: Math.max(peak.own, highest), tree: Math.max(peak.tree, own + children) };
  };
  const timer = setInterval(look, 50);
  return () => {
    clearInterval(timer);
    look();
    return peak;
  };
}

/** A program, its children, and theirs. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/**
 * The tree without children that have not become another program yet: between fork and exec they have their parent's
 * memory, which must not count twice.
 */
function programsOf(pid: number): number[] {
  const own = programOf(pid);
  const started = childrenOf(pid).filter((child) => programOf(child) !== own);
  return [pid, ...started.flatMap(programsOf)];
}

/** The file that it runs; empty of one that has ended. */
export function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

/** Of the program itself, not of those that it started. */
export function childrenOf(pid: number): number[] {
  const text = readOrEmpty(`/proc/${pid}/task/${pid}/children`);
  return text.split(' ').filter(Boolean).map(Number);
}

/** Of a program, and of the children that it waited for. */
function ticksOf(pid: number): [number, number] {
  // The second field is the program's name in parentheses, and may hold blanks.
  const fields = readOrEmpty(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  return [user + system, childUser + childSystem];
}

/** `VmRSS`: resident now; `VmHWM`: the most that ever was. */
function memoryKiB(pid: number, line: 'VmRSS' | 'VmHWM'): number {
  const [, kiB = '0'] = new RegExp(String.raw`^${line}:\s+(\d+)`, 'm').exec(readOrEmpty(`/proc/${pid}/status`)) ?? [];
  return Number(kiB);
}

/** A child may end between two looks. */
function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
