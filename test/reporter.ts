/**
 * @module The closing lines of a test run: what this machine could not run, with the reason, then the counts.
 *
 * With CI=true a suite that could not run fails the run: a check that is left out silently is no check.
 */
import type { AggregatedResult, Reporter, TestContext } from '@jest/reporters';

export default class ClosingLines implements Pick<Reporter, 'onRunComplete' | 'getLastError'> {
  #error: Error | undefined;

  onRunComplete(_contexts: Set<TestContext>, results: AggregatedResult): void {
    const skipped = results.testResults.flatMap((file) => file.testResults.filter(({ status }) => status === 'pending').map(({ fullName }) => fullName));
    if (skipped.length > 0) console.log(`\nNot run on this machine:\n${skipped.map((name) => `  - ${name}`).join('\n')}`);
    if (skipped.length > 0 && process.env['CI'] === 'true') this.#error = new Error('CI runs every test; the list above must be empty');
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    console.log(`\n${results.numPassedTests} passed, ${failed} failed, ${results.numPendingTests} skipped`);
  }

  getLastError(): Error | undefined {
    return this.#error;
  }
}
