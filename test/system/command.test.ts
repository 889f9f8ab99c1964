import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import type { Command } from '../../src/system/command.ts';
import { CommandError, findProgram, runCommand } from '../../src/system/command.ts';

function sh(script: string, more: Partial<Command> = {}): Promise<string> {
  return runCommand({ file: '/bin/sh', args: ['-c', script], timeoutMs: 10_000, ...more });
}

async function failureOf(run: Promise<string>): Promise<CommandError> {
  const error: unknown = await run.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof CommandError)) throw new Error(`expected a CommandError, got ${String(error)}`);
  return error;
}

function* numbers(count: number): Generator<string> {
  for (let index = 0; index < count; index += 1) yield `${index}\n`;
}

function* broken(): Generator<string> {
  yield 'x';
  throw new RangeError('no more');
}

test('gives standard output', async () => {
  expect(await sh('echo out; echo err >&2')).toBe('out\n');
});

test('arguments are not read by a shell', async () => {
  expect(await runCommand({ file: '/bin/echo', args: ['$HOME', '; ls'], timeoutMs: 10_000 })).toBe('$HOME ; ls\n');
});

test("a tool sees nothing of this program's environment", async () => {
  expect((await sh('env')).split('\n').filter((line) => !/^(PATH|LC_ALL|PWD|SHLVL|_)=/.test(line))).toEqual(['']);
  expect(await sh('echo $LC_ALL')).toBe('C\n');
});

test('input of any size arrives, and lines come back one by one', async () => {
  let lines = 0;
  let last = '';
  const onLine = (line: string): void => {
    lines += 1;
    last = line;
  };
  expect(await runCommand({ file: '/bin/cat', args: [], input: numbers(300_000), onLine, timeoutMs: 30_000 })).toBe('');
  expect({ lines, last }).toEqual({ lines: 300_000, last: '299999' });
});

test('output beyond the cap is not kept, and the program still ends', async () => {
  expect(await sh('head -c 3000000 /dev/zero')).toHaveLength(1024 * 1024);
});

test('a program that does not read its input is judged by how it ends', async () => {
  expect(await sh('exec 0<&-; echo done', { input: numbers(300_000) })).toBe('done\n');
});

describe('failures', () => {
  test('an exit code, with what the tool said', async () => {
    const error = await failureOf(sh('echo words >&2; exit 3'));
    expect(error).toMatchObject({ reason: 'Failed', exitCode: 3, stderr: 'words\n' });
    expect(error.message).not.toContain('words');
  });
  test('a program that is not there', async () => {
    expect(await failureOf(runCommand({ file: '/nowhere/tool', args: [], timeoutMs: 1000 }))).toMatchObject({
      reason: 'NotFound',
    });
  });
  test('a signal that fired before', async () => {
    expect(await failureOf(sh('echo ran', { signal: AbortSignal.abort() }))).toMatchObject({ reason: 'Aborted' });
  });
  test('an error while the input is made ends the program and is thrown as it is', async () => {
    await expect(runCommand({ file: '/bin/cat', args: [], input: broken(), timeoutMs: 10_000 })).rejects.toThrow(
      RangeError,
    );
  });
  test('a program gets more time the more input it was given', async () => {
    const limits = { timeoutMs: 300, timeoutMsPerKiB: 50 };
    expect(await sh('cat >/dev/null; sleep 1; echo done', { ...limits, input: ['x'.repeat(200 * 1024)] })).toBe(
      'done\n',
    );
    expect(
      await failureOf(sh('cat >/dev/null; sleep 1; echo done', { ...limits, input: ['x'.repeat(1024)] })),
    ).toMatchObject({ reason: 'TimedOut' });
  });
  const stops: readonly { name: string; more: (controller: AbortController) => Partial<Command>; reason: string }[] = [
    { name: 'a time-out', more: () => ({ timeoutMs: 200 }), reason: 'TimedOut' },
    {
      name: 'an abort',
      more: (controller) => {
        setTimeout(() => controller.abort(), 200);
        return { signal: controller.signal };
      },
      reason: 'Aborted',
    },
  ];
  test.each(stops)('$name ends the program and its children', async ({ more, reason }) => {
    const pids: string[] = [];
    const started = Date.now();
    const error = await failureOf(
      sh('sleep 60 & echo $!; echo $$; wait', {
        ...more(new AbortController()),
        input: numbers(300_000),
        onLine: (line) => pids.push(line),
      }),
    );
    expect(error.reason).toBe(reason);
    expect(Date.now() - started).toBeLessThan(5000);
    expect(pids).toHaveLength(2);
    for (const pid of pids) expect(await isAlive(pid)).toBe(false);
  });
});

/** A killed child may wait a moment for its parent to take its exit code. */
async function isAlive(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone) Z');
  return !/\) [ZX]/.test(status);
}

test('programs are found by absolute path, in the order of the directories', async () => {
  expect(await findProgram('sh', ['/nowhere', '/bin'])).toBe('/bin/sh');
  expect(await findProgram('no-such-program')).toBeUndefined();
});
