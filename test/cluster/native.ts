import { execa } from 'execa';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isExecutable } from './binaries.ts';
import { cacheDirectory, contentKey } from './cacheDirectory.ts';

/** The program that waits and reaps, compiled when it is not cached: static, so that it runs in an empty image. */
export async function pauseProgram(): Promise<string> {
  const source = join(import.meta.dirname, 'native', 'pause.c');
  const path = cacheDirectory('bin', `native-${process.arch}-${contentKey([source])}`, 'pause');
  if (isExecutable(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  await execa('gcc', ['-Os', '-Wall', '-Wextra', '-static', '-s', '-o', unfinished, source]);
  await rename(unfinished, path);
  return path;
}
