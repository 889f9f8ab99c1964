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
  const release = await hold(file, []);
  if (release === undefined) throw new Error(`flock could not lock ${file}`);
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Takes the lock on `file` and returns what gives it back, or undefined where another process holds it. */
export function tryLock(file: string): Promise<(() => Promise<void>) | undefined> {
  return hold(file, ['--nonblock']);
}

async function hold(file: string, flags: readonly string[]): Promise<(() => Promise<void>) | undefined> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', [...flags, file, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const ended = once(holder, 'close');
  // It may have ended before it reads.
  holder.stdin.on('error', () => undefined);
  holder.stdin.write('held\n');
  const isHeld = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!isHeld) return undefined;
  return async () => {
    holder.stdin.end();
    await ended;
  };
}
