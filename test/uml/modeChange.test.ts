/**
 * Changes of mode on a node that serves, on a kernel that has ip_vs: packets from one mode to the other and back, with
 * either iptables. One boot for all checks.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IptablesVariant } from '../../src/netfilter/xtables/chain.ts';
import { describeWhere } from '../support/requirements.ts';
import { runInKernel } from './kernel.ts';
import type { CheckReport } from './modeChangeReport.ts';
import { checks } from './modeChangeReport.ts';

/** On a machine that has other work to do; alone it takes less than two minutes. */
const timeoutMs = 1_200_000;

describe.each(['nft', 'legacy'] as const)('iptables %s', (variant) => {
  describeWhere(['kernel'], 'Change of mode on a kernel with ip_vs', () => describeChanges(variant));
});

function describeChanges(iptables: IptablesVariant): void {
  const reports = new Map<string, CheckReport>();
  let fault: Error | undefined;
  beforeAll(async () => {
    await runInKernel({
      program: 'modeChange.ts',
      args: [iptables],
      iptables,
      timeoutMs,
      onLine: (line) => reports.set((line as CheckReport).check, line as CheckReport),
    }).catch((error: unknown) => (fault = error as Error));
  }, timeoutMs + 10_000);
  afterAll(() => {
    for (const { check, note } of reports.values())
      process.stdout.write(`mode change, ${iptables}: ${check}: ${note ?? ''}\n`);
  });

  test.each(checks)('%s', (check) => {
    const report = reports.get(check);
    if (report === undefined) throw fault ?? new Error('the kernel under test ended before this check');
    expect(report.problems).toEqual([]);
  });

  test('runs its program to the end', () => {
    if (fault !== undefined) throw fault;
  });
}
