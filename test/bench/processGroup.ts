/** Programs that end together with all that they started. */
import { execa } from 'execa';
import { waitFor } from '../support/waitFor.ts';
import { programOf } from './processTree.ts';

interface GroupOptions {
  readonly signal: AbortSignal;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Which of this process' its standard output goes to. */
  readonly stdout: 1 | 2;
}

/** A zombie counts as alive until somebody reaps it, which not every machine's first process does. */
const endTimeoutMs = 3000;

/**
 * Runs a program in a process group of its own, and resolves to its exit status, undefined where a signal ended it.
 * When `signal` fires, or this process dies, it is told to end. Nothing that it left in its group is alive afterwards,
 * so that what it wrote can be removed.
 */
export async function runInGroup(
  command: readonly string[],
  { signal, stdout, ...options }: GroupOptions,
): Promise<number | undefined> {
  const args = ['--pdeathsig', 'TERM', ...command];
  const running = execa('setpriv', args, {
    ...options,
    stdio: ['ignore', stdout, 2],
    detached: true,
    cancelSignal: signal,
    reject: false,
  });
  const { exitCode } = await running;
  await endGroup(running.pid);
  return exitCode;
}

async function endGroup(leader: number | undefined): Promise<void> {
  if (leader === undefined || !canSignal(-leader, 'SIGKILL')) return;
  const isGone = async (): Promise<boolean> => !canSignal(-leader, 0);
  await waitFor('a process group ends', isGone, { timeoutMs: endTimeoutMs, everyMs: 10 }).catch(() => {});
}

/** A tool that the kernel works for ends when the kernel has done that. */
const endOfToolsTimeoutMs = 600_000;

/** Kills programs, and resolves when none of them runs any more. */
export async function endPrograms(pids: readonly number[]): Promise<void> {
  for (const pid of pids) canSignal(pid, 'SIGKILL');
  const areGone = async (): Promise<boolean> => pids.every((pid) => programOf(pid) === '');
  await waitFor('programs end', areGone, { timeoutMs: endOfToolsTimeoutMs, everyMs: 10, maxPauseMs: 200 });
}

/** Whether anybody is there; a negative number is a process group's. */
function canSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
