/**
 * Changes of mode on a node that serves, on a kernel that has ip_vs: packets from one mode to the other and back. One
 * boot for all.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWhere } from '../support/requirements.ts';
import { runInKernel } from './kernel.ts';
import type { CheckReport } from './modeChangeReport.ts';
import { checks } from './modeChangeReport.ts';

/** On a machine that has other work to do; alone it takes a few minutes. */
const timeoutMs = 1_200_000;

describeWhere(['uml'], 'Change of mode on a kernel with ip_vs', () => {
  const reports = new Map<string, CheckReport>();
  let fault: Error | undefined;
  beforeAll(async () => {
    await runInKernel({
      program: 'modeChange.ts',
      timeoutMs,
      onLine: (line) => reports.set((line as CheckReport).check, line as CheckReport),
    }).catch((error: unknown) => (fault = error as Error));
  }, timeoutMs + 10_000);
  afterAll(() => {
    for (const { check, note } of reports.values()) process.stdout.write(`mode change: ${check}: ${note ?? ''}\n`);
  });

  test.each(checks)('%s', (check) => {
    const report = reports.get(check);
    if (report === undefined) throw fault ?? new Error('the kernel under test ended before this check');
    expect(report.problems).toEqual([]);
  });

  test('runs its program to the end', () => {
    if (fault !== undefined) throw fault;
  });
});
