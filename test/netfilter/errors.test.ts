/**
 * What becomes of a tool's end: each row is a real program that ends so.
 */
import { describe, expect, test } from '@jest/globals';
import { isRefusal, isToolFailure, runTool, SyncError } from '../../src/netfilter/errors.ts';
import { runCommand } from '../../src/system/command.ts';

const rows: readonly { name: string; script: string; timeoutMs?: number; reason: string; isRefusal: boolean }[] = [
  { name: 'an exit code of its own', script: 'exit 2', reason: 'ToolFailed', isRefusal: true },
  { name: 'the exit code for want of resources', script: 'exit 4', reason: 'ToolFailed', isRefusal: false },
  { name: 'a signal from elsewhere', script: 'kill -9 $$', reason: 'ToolKilled', isRefusal: false },
  { name: 'a crash', script: 'kill -SEGV $$', reason: 'ToolKilled', isRefusal: false },
  { name: 'a crash after words', script: 'echo words >&2; kill -ABRT $$', reason: 'ToolKilled', isRefusal: false },
  { name: 'the end of its time', script: 'sleep 60', timeoutMs: 50, reason: 'ToolTimedOut', isRefusal: false },
];

async function failureOf(script: string, timeoutMs = 10_000, file = '/bin/sh'): Promise<unknown> {
  return runTool('iptables-restore', () => runCommand({ file, args: ['-c', script], timeoutMs })).catch(
    (error: unknown) => error,
  );
}

describe('runTool', () => {
  test.each(rows)('names $name $reason', async ({ script, timeoutMs, reason }) => {
    const error = await failureOf(script, timeoutMs);
    expect(error).toBeInstanceOf(SyncError);
    expect(error).toMatchObject({ reason, tool: 'iptables-restore' });
  });

  test('names a program that is not there ToolMissing', async () => {
    expect(await failureOf('', undefined, '/nowhere/iptables-restore')).toMatchObject({ reason: 'ToolMissing' });
  });

  test.each([
    { signal: 'SEGV', words: "died of SIGSEGV, mostly of what newer software wrote .* use the product's image" },
    { signal: 'KILL', words: 'was ended by SIGKILL, which the agent did not send; is the node short of memory' },
  ])('says of SIG$signal what to do, and nothing that the tool said', async ({ signal, words }) => {
    const error = await failureOf(`echo secret >&2; kill -${signal} $$`);
    expect(error).toMatchObject({ message: expect.stringMatching(`^iptables-restore ${words}`) });
    expect(error).toMatchObject({ message: expect.not.stringContaining('secret'), cause: { stderr: 'secret\n' } });
  });

  test('names Aborted what was killed from here', async () => {
    const abort = new AbortController();
    const onLine = (): void => abort.abort();
    const command = { file: '/bin/sh', args: ['-c', 'echo up; exec sleep 60'], timeoutMs: 10_000 };
    await expect(runTool('nft', () => runCommand({ ...command, onLine, signal: abort.signal }))).rejects.toMatchObject({
      reason: 'Aborted',
    });
  });

  test('throws what is no failure of a tool as it is', async () => {
    const error = new TypeError('ours');
    await expect(runTool('iptables-restore', () => Promise.reject(error))).rejects.toBe(error);
  });
});

describe('isRefusal', () => {
  // One that was killed says nothing of what it was given: no Service is to be left out for it.
  test.each(rows)('of a tool that ended by $name: $isRefusal', async ({ script, timeoutMs, isRefusal: expected }) => {
    expect(isRefusal(await failureOf(script, timeoutMs))).toBe(expected);
  });
});

describe('isToolFailure', () => {
  test.each(rows)('of a tool that ended by $name', async ({ script, timeoutMs, reason }) => {
    expect(isToolFailure(await failureOf(script, timeoutMs))).toBe(reason === 'ToolFailed');
  });
});
