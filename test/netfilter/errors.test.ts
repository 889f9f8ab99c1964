/**
 * What becomes of a tool's end: each row is a real program that ends so.
 */
import { describe, expect, test } from '@jest/globals';
import { isRefusal, runTool, SyncError } from '../../src/netfilter/errors.ts';
import { runCommand } from '../../src/system/command.ts';

const rows: readonly { name: string; script: string; timeoutMs?: number; reason: string; isRefusal: boolean }[] = [
  { name: 'an exit code of its own', script: 'exit 2', reason: 'ToolFailed', isRefusal: true },
  { name: 'the exit code for want of resources', script: 'exit 4', reason: 'ToolFailed', isRefusal: false },
  { name: 'a signal from elsewhere', script: 'kill -9 $$', reason: 'ToolFailed', isRefusal: false },
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
