import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import type { CommandError } from '../../src/system/command.ts';
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
      onEnd: ({ reason, message }) => ends.push(`${reason}: ${message}`),
      minRetryMs: 10,
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
    { name: 'an exit code', script: 'exit 3', why: 'Failed: sh ended with exit code 3' },
    { name: 'a signal', script: 'kill -SEGV $$', why: 'Killed: sh was ended by SIGSEGV' },
    {
      name: 'a line without an end',
      script: 'exec cat /dev/zero',
      why: 'Failed: sh was stopped',
    },
  ])('$name is told, and the program started again', async ({ script, why }) => {
    keep(script);
    await until('it has ended twice', () => ends.length === 2);
    expect(ends).toEqual([why, why]);
  });

  test('what it said on standard error is told with the end, and why it was stopped', async () => {
    const errors: CommandError[] = [];
    keep('echo words >&2; exit 1', { onEnd: (why) => errors.push(why) });
    await until('it has ended', () => errors.length > 0);
    expect(errors[0]).toMatchObject({ exitCode: 1, stderr: 'words\n' });
    await running.stop();
    errors.length = 0;
    keep('exec cat /dev/zero', { onEnd: (why) => errors.push(why) });
    await until('it was stopped', () => errors.length > 0);
    expect(errors[0]?.cause).toMatchObject({ message: 'a line of more than 1048576 characters' });
  });

  test('it is ready at its first line, once after each start', async () => {
    const events: string[] = [];
    keep('echo first; echo second; exit 1', {
      onLine: (line) => events.push(line),
      onReady: () => events.push('ready'),
      onEnd: () => events.push('end'),
    });
    await until('it has run twice', () => events.filter((event) => event === 'end').length === 2);
    const once = ['ready', 'first', 'second', 'end'];
    expect(events.slice(0, 8)).toEqual([...once, ...once]);
  });

  test.each([
    { name: 'that is never ready waits longer each time', script: 'exit 1', waits: [20, 40, 80] },
    { name: 'that was ready is started again as soon as at first', script: 'echo ready; exit 1', waits: [20, 20, 20] },
  ])('a program $name', async ({ script, waits }) => {
    const endedAt: number[] = [];
    keep(script, { onEnd: () => endedAt.push(performance.now()), minRetryMs: 20, maxRetryMs: 80 });
    await until('it has ended often', () => endedAt.length === 5);
    const waited = endedAt.slice(1).map((at, index) => at - (endedAt[index] ?? 0));
    waits.forEach((ms, index) => expect(waited[index]).toBeGreaterThanOrEqual(ms - 1));
  });

  test('an error of who reads the lines is told, and the program started again', async () => {
    const onLine = (line: string): void => {
      lines.push(line);
      throw new RangeError('enough');
    };
    keep('exec yes', { onLine });
    await until('it has ended twice', () => ends.length === 2);
    await running.stop();
    expect(ends.slice(0, 2)).toEqual(['Failed: sh was stopped', 'Failed: sh was stopped']);
    expect(lines.slice(0, 2)).toEqual(['y', 'y']);
  });
});
