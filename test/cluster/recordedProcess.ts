import { existsSync, readFileSync } from 'node:fs';
import { waitFor } from '../support/waitFor.ts';

/** A process as record.sh noted it: the start time tells it from a later one that got the same id. */
export interface RecordedProcess {
  readonly pid: number;
  /** In clock ticks since boot, as in /proc/PID/stat. */
  readonly startTime: string;
}

export function readRecord(file: string): RecordedProcess | undefined {
  if (!existsSync(file)) return undefined;
  const [pid = '', startTime = ''] = readFileSync(file, 'utf8').trim().split(' ');
  return { pid: Number(pid), startTime };
}

/** This process, for the state that it leaves to others. */
export function ownRecord(): RecordedProcess {
  return { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' };
}

export function isAlive({ pid, startTime }: RecordedProcess): boolean {
  return startTimeOf(pid) === startTime;
}

/** Kills a process and waits for its end. That of a PID namespace's first process takes the whole namespace along. */
export async function killRecorded(recorded: RecordedProcess): Promise<void> {
  if (!isAlive(recorded)) return;
  process.kill(recorded.pid, 'SIGKILL');
  const hasEnded = (): Promise<boolean> => Promise.resolve(!isAlive(recorded));
  await waitFor(`process ${recorded.pid} ends`, hasEnded, { timeoutMs: 30_000, everyMs: 20 });
}

/** Undefined when there is no such process, or only its corpse: its parent may be slow to look. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
