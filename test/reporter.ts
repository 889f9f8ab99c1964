/**
 * @module The closing lines of a test run: what this machine could not run, with the reason, then the counts.
 *
 * With CI=true a suite that could not run fails the run: a check that is left out silently is no check.
 */
import { writeSync } from 'node:fs';
import type { AggregatedResult, Reporter, TestContext } from '@jest/reporters';
import { countsLine, reasonAgainstSkipped } from '../.ci/verdict.ts';

export default class ClosingLines implements Pick<Reporter, 'onRunComplete' | 'getLastError'> {
  #error: Error | undefined;

  onRunComplete(_contexts: Set<TestContext>, results: AggregatedResult): void {
    const skipped = results.testResults.flatMap((file) =>
      file.testResults.filter(({ status }) => status === 'pending').map(({ fullName }) => fullName),
    );
    const reason = reasonAgainstSkipped(skipped.length, process.env['CI'] === 'true');
    if (reason !== undefined) this.#error = new Error(reason);
    const list =
      skipped.length === 0 ? '' : `\nNot run on this machine:\n${skipped.map((name) => `  - ${name}\n`).join('')}`;
    // jest fails the run for such an error, but says nothing of it.
    const why = reason === undefined ? '' : `\n${reason}\n`;
    const counts = countsLine({
      passed: results.numPassedTests,
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests,
    });
    // jest's own summary comes after every reporter; the counts are to be the last line.
    process.once('exit', () => writeSync(process.stderr.fd, `${list}${why}\n${counts}\n`));
  }

  getLastError(): Error | undefined {
    return this.#error;
  }
}
