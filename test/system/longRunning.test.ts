import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { keepRunning, type LongRunning, type LongRunningOptions } from '../../src/system/longRunning.ts';
import { until } from '../support/until.ts';

async function isGone(pid: string | undefined): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone) Z');
  return /\) [ZX]/.test(status);
}

describe('keepRunning', () => {
  const lines: string[] = [];
  const ends: string[] = [];
  let running: LongRunning;
  afterEach(async () => {
    await running.stop();
    lines.length = 0;
    ends.length = 0;
  });

  function keep(script: string, more: Partial<LongRunningOptions> = {}): void {
    running = keepRunning({
      program: 'sh',
      args: ['-c', script],
      onLine: (line) => lines.push(line),
      onEnd: (why) => ends.push(why),
      retryMs: 10,
      ...more,
    });
  }

  test('stop kills the program with its children, and is no end to be told of', async () => {
    keep('echo $$; sleep 60 & echo $!; wait');
    await until('both run', () => lines.length === 2);
    await running.stop();
    for (const pid of lines) await until('it is gone', () => isGone(pid), 1000);
    expect(ends).toEqual([]);
  });

  test('the input stays open behind what was written', async () => {
    keep('read word; echo $word; read word || echo closed', { input: 'this\n' });
    await until('the input was read', () => lines.length === 1);
    await running.stop();
    expect(lines).toEqual(['this']);
  });

  test('a program ends with the process that started it, however that ends', async () => {
    const source = path.join(import.meta.dirname, '..', '..', 'src', 'system', 'longRunning.ts');
    const script = `
      import { keepRunning } from '${source}';
      const onLine = (pid) => process.stdout.write(pid, () => process.kill(process.pid, 'SIGKILL'));
      keepRunning({ program: 'sh', args: ['-c', 'echo $$; exec cat'], onLine, onEnd: console.log });`;
    const { stdout, signal } = await execa(process.execPath, ['--input-type=module', '--eval', script], {
      reject: false,
    });
    expect({ stdout, signal }).toEqual({ stdout: expect.stringMatching(/^\d+$/), signal: 'SIGKILL' });
    await until('it is gone', () => isGone(stdout));
    running = { stop: () => Promise.resolve() };
  });

  test.each([
    { name: 'an exit code', script: 'exit 3', why: 'ended with 3' },
    { name: 'a signal', script: 'kill -SEGV $$', why: 'ended with SIGSEGV' },
    {
      name: 'a line without an end',
      script: 'exec cat /dev/zero',
      why: 'was stopped: LongLineError: a line of more than 1048576 characters',
    },
  ])('$name is told, and the program started again', async ({ script, why }) => {
    keep(script);
    await until('it has ended twice', () => ends.length === 2);
    expect(ends).toEqual([why, why]);
  });

  test('an error of who reads the lines is told, and the program started again', async () => {
    const onLine = (line: string): void => {
      lines.push(line);
      throw new RangeError('enough');
    };
    keep('exec yes', { onLine });
    await until('it has ended twice', () => ends.length === 2);
    await running.stop();
    expect(ends.slice(0, 2)).toEqual(['was stopped: RangeError: enough', 'was stopped: RangeError: enough']);
    expect(lines.slice(0, 2)).toEqual(['y', 'y']);
  });
});
