import { execa } from 'execa';
import { describe, expect, test } from '@jest/globals';
import { describeError } from '../../src/observability/logger.ts';
import { runCommand } from '../../src/system/command.ts';

/** What a logger of its own process writes; winston writes past anything that this process could put in its way. */
async function logged(level: string, statement: string): Promise<Record<string, unknown>[]> {
  const script = `import { createLogger } from './src/observability/logger.ts'; const logger = createLogger('${level}'); ${statement}`;
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', script]);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('logger', () => {
  test('a line is one JSON object: time, level, a constant message, and fields', async () => {
    const [line] = await logged('info', "logger.info('synced', { family: 'ipv4', services: 3 })");
    expect(line).toEqual({
      timestamp: expect.any(String),
      level: 'info',
      message: 'synced',
      family: 'ipv4',
      services: 3,
    });
  });

  test('nothing that an object holds can end a line or pass for a level', async () => {
    const lines = await logged(
      'info',
      `logger.warn('refused', { what: 'a"\\n{"level":"error"}', level: 'error', message: 'forged' })`,
    );
    expect(lines).toMatchObject([{ level: 'warn', message: 'refused', what: 'a"\n{"level":"error"}' }]);
  });

  test('nothing that an object holds is obeyed by a terminal', async () => {
    const script = String.raw`import { createLogger } from './src/observability/logger.ts'; createLogger('info').info('x', { name: 'a\u009b2J\u202e' })`;
    const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', script]);
    expect(stdout).toContain(String.raw`"a\u009b2J\u202e"`);
  });

  test('long texts, lists and objects are cut', async () => {
    const [line] = await logged(
      'info',
      "const long = 'x'.repeat(100_000); logger.info('big', { long, list: Array(1000).fill(long), object: { long }, error: new Error(long) })",
    );
    expect(JSON.stringify(line).length).toBeLessThan(60_000);
    expect(line).toMatchObject({ long: expect.stringContaining('(100000 characters)') });
  });

  test('what is below the level is not written', async () => {
    expect(await logged('warn', "logger.info('not this'); logger.error('this')")).toMatchObject([{ message: 'this' }]);
  });

  test('an error is written with its causes', () => {
    const inner = new Error('iptables-restore ended with 2');
    expect(describeError(new Error('cannot sync', { cause: inner }))).toBe(
      'cannot sync: iptables-restore ended with 2',
    );
    expect(describeError(new AggregateError([inner, new Error('b')], 'both failed'))).toBe(
      'both failed; iptables-restore ended with 2; b',
    );
    expect(describeError('a string')).toBe('a string');
  });

  test("describes a failed tool with the tool's own words", async () => {
    const args = ['-c', 'echo line 3 failed >&2; exit 2'];
    const cause: unknown = await runCommand({ file: '/bin/sh', args, timeoutMs: 10_000 }).catch(
      (error: unknown) => error,
    );
    expect(describeError(new Error('cannot sync', { cause }))).toBe(
      'cannot sync: /bin/sh ended with exit code 2, saying: line 3 failed',
    );
  });
});
