/**
 * @module The closing lines of a test run: what this machine could not run, with the reason, then the counts.
 *
 * With CI=true a suite that could not run fails the run: a check that is left out silently is no check.
 */
import { writeSync } from 'node:fs';
import type { AggregatedResult, Reporter, TestContext } from '@jest/reporters';

export default class ClosingLines implements Pick<Reporter, 'onRunComplete' | 'getLastError'> {
  #error: Error | undefined;

  onRunComplete(_contexts: Set<TestContext>, results: AggregatedResult): void {
    const skipped = results.testResults.flatMap((file) =>
      file.testResults.filter(({ status }) => status === 'pending').map(({ fullName }) => fullName),
    );
    if (skipped.length > 0 && process.env['CI'] === 'true')
      this.#error = new Error('CI runs every test: the list of those not run must be empty');
    const list =
      skipped.length === 0 ? '' : `\nNot run on this machine:\n${skipped.map((name) => `  - ${name}\n`).join('')}`;
    // jest fails the run for such an error, but says nothing of it.
    const why = this.#error === undefined ? '' : `\n${this.#error.message}\n`;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const counts = `\n${results.numPassedTests} passed, ${failed} failed, ${results.numPendingTests} skipped\n`;
    // jest's own summary comes after every reporter; the counts are to be the last line.
    process.once('exit', () => writeSync(process.stderr.fd, list + why + counts));
  }

  getLastError(): Error | undefined {
    return this.#error;
  }
}
