/** What a program and its children cost, as /proc counts it. */
import { readFileSync } from 'node:fs';

/**
 * Seconds of CPU that a program, its live children and all children that it waited for have used; the kernel counts in
 * steps of 10 ms.
 */
export function cpuSeconds(pid: number): number {
  return treeOf(pid).reduce((sum, each) => sum + ticksOf(each), 0) / 100;
}

/** Resident memory of a program and its children, in MiB. */
export function residentMiB(pid: number): number {
  return treeOf(pid).reduce((sum, each) => sum + residentKiB(each), 0) / 1024;
}

/** Looks every 50 ms how much memory the tree has, until it is asked for the most that it had. */
export function watchPeak(pid: number): () => number {
  let peak = 0;
  const look = (): void => {
    peak = Math.max(peak, residentMiB(pid));
  };
  const timer = setInterval(look, 50);
  return () => {
    clearInterval(timer);
    look();
    return peak;
  };
}

function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

function childrenOf(pid: number): number[] {
  const text = readOrEmpty(`/proc/${pid}/task/${pid}/children`);
  return text.split(' ').filter(Boolean).map(Number);
}

function ticksOf(pid: number): number {
  // The second field is the program's name in parentheses, and may hold blanks.
  const fields = readOrEmpty(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

function residentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** A child may end between two looks. */
function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
