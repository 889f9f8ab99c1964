import { getEventListeners } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Command } from '../../src/system/command.ts';
import { CommandError, findProgram, runCommand } from '../../src/system/command.ts';
import { execaTool } from '../../src/system/execaTool.ts';
import { spawnTool } from '../../src/system/spawnTool.ts';
import { until } from '../support/until.ts';

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

/** A killed child may wait a moment for its parent to take its exit code. */
async function isAlive(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone) Z');
  return !/\) [ZX]/.test(status);
}

describe.each([{ startTool: spawnTool }, { startTool: execaTool }])(
  'runCommand on $startTool.name',
  ({ startTool }) => {
    let directory = '';
    beforeAll(async () => {
      directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-command-'));
    });
    afterAll(() => rm(directory, { recursive: true }));

    function run(file: string, args: readonly string[], more: Partial<Command> = {}): Promise<string> {
      return runCommand({ file, args, timeoutMs: 10_000, ...more }, startTool);
    }

    function sh(script: string, more: Partial<Command> = {}): Promise<string> {
      return run('/bin/sh', ['-c', script], more);
    }

    test('gives standard output', async () => {
      expect(await sh('echo out; echo err >&2')).toBe('out\n');
    });

    test('arguments are not read by a shell', async () => {
      expect(await run('/bin/echo', ['$HOME', '; ls'])).toBe('$HOME ; ls\n');
    });

    test("a tool sees nothing of this program's environment", async () => {
      expect((await sh('env')).split('\n').filter((line) => !/^(PATH|LC_ALL|PWD|SHLVL|_)=/.test(line))).toEqual(['']);
      expect(await sh('echo $LC_ALL')).toBe('C\n');
    });

    test('a tool runs in /, leads a process group of its own, and without input reads none', async () => {
      expect(await sh('pwd; cat; set -- $(cat /proc/$$/stat); [ $5 = $$ ] && echo leads')).toBe('/\nleads\n');
    });

    describe('input', () => {
      test('of any size arrives, and lines come back one by one', async () => {
        let lines = 0;
        let last = '';
        const onLine = (line: string): void => {
          lines += 1;
          last = line;
        };
        expect(await run('/bin/cat', [], { input: numbers(300_000), onLine })).toBe('');
        expect({ lines, last }).toEqual({ lines: 300_000, last: '299999' });
      });

      test('a program that does not read it is judged by how it ends', async () => {
        expect(await sh('exec 0<&-; echo done', { input: numbers(300_000) })).toBe('done\n');
        expect(await sh('head -c 9 >/dev/null; exec 0<&-; sleep 0.1; echo done', { input: numbers(300_000) })).toBe(
          'done\n',
        );
        expect(await failureOf(sh('exec 0<&-; exit 4', { input: numbers(300_000) }))).toMatchObject({ exitCode: 4 });
      });

      test('is made as it is read, and a program that never reads it runs out of time', async () => {
        let made = 0;
        function* kibibytes(): Generator<string> {
          for (; made < 50_000; made += 1) yield 'x'.repeat(1024);
        }
        const limits = { timeoutMs: 200, timeoutMsPerKiB: 0.1 };
        expect(await failureOf(run('/bin/sleep', ['60'], { input: kibibytes(), ...limits }))).toMatchObject({
          reason: 'TimedOut',
          signal: 'SIGKILL',
        });
        expect(made).toBeLessThan(1024);
      });

      test('a program gets more time the more of it it was given', async () => {
        const limits = { timeoutMs: 300, timeoutMsPerKiB: 50 };
        const slow = 'cat >/dev/null; sleep 1; echo done';
        expect(await sh(slow, { ...limits, input: ['x'.repeat(200 * 1024)] })).toBe('done\n');
        expect(await failureOf(sh(slow, { ...limits, input: ['x'.repeat(1024)] }))).toMatchObject({
          reason: 'TimedOut',
        });
      });

      test('an error while it is made kills the program before that takes it for whole, and is thrown as it is', async () => {
        const whole = path.join(directory, 'whole');
        await expect(sh(`cat >/dev/null; echo >${whole}`, { input: broken() })).rejects.toThrow(RangeError);
        await expect(readFile(whole)).rejects.toMatchObject({ code: 'ENOENT' });
      });
    });

    describe('output', () => {
      test('beyond the cap is not kept, and the program still ends', async () => {
        expect(await sh('head -c 3000000 /dev/zero')).toHaveLength(1024 * 1024);
        const { exitCode, stderr } = await failureOf(sh('head -c 3000000 /dev/zero >&2; exit 3'));
        expect({ exitCode, length: stderr.length }).toEqual({ exitCode: 3, length: 16 * 1024 });
      });

      test('a line without an end kills the program', async () => {
        const lines: string[] = [];
        const error = await failureOf(sh('echo first; exec cat /dev/zero', { onLine: (line) => lines.push(line) }));
        expect(error).toMatchObject({
          reason: 'Failed',
          message: expect.stringContaining('a line of more than 1048576'),
        });
        expect(lines).toEqual(['first']);
      });

      test('an error of who reads the lines kills the program, and is thrown as it is', async () => {
        const lines: string[] = [];
        const onLine = (line: string): void => {
          lines.push(line);
          throw new RangeError('enough');
        };
        await expect(sh('yes', { onLine })).rejects.toThrow(RangeError);
        expect(lines).toEqual(['y']);
      });

      test('any word on standard error is a failure where the program must be silent', async () => {
        const error = await failureOf(sh('echo words >&2', { mustBeSilent: true }));
        expect(error).toMatchObject({ reason: 'Failed', exitCode: 0, stderr: 'words\n' });
        expect(error.message).toBe('/bin/sh ended with exit code 0, but complained');
        expect(await sh('echo words', { mustBeSilent: true })).toBe('words\n');
      });
    });

    describe('failures', () => {
      test('an exit code, with what the tool said', async () => {
        const error = await failureOf(sh('echo words >&2; exit 3'));
        expect(error).toMatchObject({ reason: 'Failed', exitCode: 3, signal: undefined, stderr: 'words\n' });
        expect(error.message).toBe('/bin/sh ended with exit code 3');
      });

      test('a signal from elsewhere', async () => {
        const error = await failureOf(sh('kill -SEGV $$'));
        expect(error).toMatchObject({ reason: 'Killed', exitCode: undefined, signal: 'SIGSEGV' });
        expect(error.message).toBe('/bin/sh was ended by SIGSEGV');
      });

      test.each([
        { name: 'a program that is not there', file: '/nowhere/tool', reason: 'NotFound', words: 'was not found' },
        {
          name: 'a file that is no program',
          file: '/etc/passwd',
          reason: 'Failed',
          words: 'could not be run (EACCES)',
        },
        {
          name: 'more arguments than the kernel takes',
          file: '/bin/true',
          args: ['x'.repeat(3_000_000)],
          reason: 'Failed',
          words: 'could not be run (E2BIG)',
        },
      ])('$name', async ({ file, args = [], reason, words }) => {
        const error = await failureOf(run(file, args, { input: numbers(300_000) }));
        expect(error).toMatchObject({ reason, exitCode: undefined, signal: undefined, message: `${file} ${words}` });
      });

      test('an argument with a null byte', async () => {
        expect(await failureOf(run('/bin/echo', ['a\0b']))).toMatchObject({ reason: 'Failed' });
      });
    });

    describe('a program that is stopped', () => {
      test('before it starts is not started', async () => {
        const trace = path.join(directory, 'trace');
        const signal = AbortSignal.abort();
        expect(await failureOf(sh(`echo >${trace}`, { signal }))).toMatchObject({ reason: 'Aborted' });
        await expect(readFile(trace)).rejects.toMatchObject({ code: 'ENOENT' });
      });

      test('while it starts', async () => {
        const controller = new AbortController();
        const failure = failureOf(run('/bin/sleep', ['60'], { signal: controller.signal }));
        controller.abort();
        expect(await failure).toMatchObject({ reason: 'Aborted', signal: 'SIGKILL' });
      });

      test('not after it has ended: it lets go of the signal', async () => {
        const { signal } = new AbortController();
        expect(await sh('echo done', { signal })).toBe('done\n');
        expect(getEventListeners(signal, 'abort')).toEqual([]);
      });

      test.each([
        { name: 'a time-out', reason: 'TimedOut' },
        { name: 'an abort', reason: 'Aborted' },
      ])('by $name ends with its children', async ({ reason }) => {
        const pids: string[] = [];
        const started = Date.now();
        const controller = new AbortController();
        const onLine = (line: string): void => {
          if (pids.push(line) === 2 && reason === 'Aborted') controller.abort();
        };
        const limits = { timeoutMs: reason === 'TimedOut' ? 1000 : 30_000, signal: controller.signal };
        const error = await failureOf(
          sh('sleep 60 & echo $!; echo $$; wait', { ...limits, input: numbers(300_000), onLine }),
        );
        expect(error.reason).toBe(reason);
        expect(Date.now() - started).toBeLessThan(5000);
        expect(pids).toHaveLength(2);
        await until('they are gone', async () => !(await Promise.all(pids.map(isAlive))).includes(true), 1000);
      });

      test.each(['exit 0', 'exec sleep 60'])(
        'is not waited for longer because a child left its group and holds its output open: %s',
        async (end) => {
          const pids: string[] = [];
          const started = Date.now();
          try {
            const script = `setsid sleep 60 & echo $!; sleep 0.1; ${end}`;
            const failure = failureOf(sh(script, { timeoutMs: 300, onLine: (line) => pids.push(line) }));
            expect(await failure).toMatchObject({ reason: 'TimedOut' });
            expect(Date.now() - started).toBeLessThan(5000);
            expect(await isAlive(pids[0] ?? '')).toBe(true);
          } finally {
            for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
          }
          await until('it is gone', async () => !(await isAlive(pids[0] ?? '')));
        },
      );
    });
  },
);

test('programs are found by absolute path, in the order of the directories', async () => {
  expect(await findProgram('sh', ['/nowhere', '/bin'])).toBe('/bin/sh');
  expect(await findProgram('no-such-program')).toBeUndefined();
});

describe('runCommand by spawnTool', () => {
  test('leaves the event loop to others while it waits for input that takes long to make', async () => {
    const done: string[] = [];
    function* slowPieces(): Generator<string> {
      for (let index = 0; index < 5; index += 1) {
        for (const end = performance.now() + 25; performance.now() < end;);
        done.push('piece');
        yield 'x';
      }
    }
    const others = setInterval(() => done.push('other'), 1);
    await runCommand(
      { file: '/bin/sh', args: ['-c', 'cat >/dev/null'], input: slowPieces(), timeoutMs: 10_000 },
      spawnTool,
    );
    clearInterval(others);
    const pairs = done.filter((each, index) => each === 'piece' && done[index + 1] === 'piece');
    // The second may come in the same round of the event loop in which the tool was seen to have started.
    expect(pairs.length).toBeLessThanOrEqual(1);
  });
});
