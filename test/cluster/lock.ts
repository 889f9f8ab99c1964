import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Runs `work` while no other process holds the lock on `file`.
 *
 * The lock is held by `flock FILE cat`, which lives exactly as long as its standard input: when this process dies,
 * however it dies, the kernel closes the pipe, `cat` ends and the lock is free. Nothing can go stale.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', [file, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const ended = once(holder, 'close');
  holder.stdin.write('held\n');
  await Promise.race([once(holder.stdout, 'data'), failIfEnded(ended, file)]);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

async function failIfEnded(ended: Promise<unknown>, file: string): Promise<never> {
  await ended;
  throw new Error(`flock could not lock ${file}`);
}
