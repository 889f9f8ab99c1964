/** @module What becomes of a test run, of its suites by their counts, and of those that were run again. */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What came of one test file. */
export interface Suite extends Counts {
  readonly name: string;
}

/** The counts are those of the last run of each suite. */
export interface Verdict extends Counts {
  /** Suites that failed, and passed when they were run again. */
  readonly flaky: readonly string[];
  /** Why the run fails; empty when it passes. */
  readonly reasons: readonly string[];
}

export interface Conditions {
  /** jest's own of the first run: it also fails for what no suite shows. */
  readonly exitCode: number;
  /** With CI=true a test that could not run fails the run: a check that is left out silently is no check. */
  readonly isCI: boolean;
}

/** More failed suites than these are the change's own, and not worth the time of a second run. */
const maxRepeated = 3;
const maxFlaky = 1;

/** The last line of a run. */
export function countsLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** Why skipped tests fail a run, or undefined when they do not. */
export function reasonAgainstSkipped(skipped: number, isCI: boolean): string | undefined {
  return skipped > 0 && isCI ? 'CI runs every test: the list of those not run must be empty' : undefined;
}

function failedOf(suites: readonly Suite[]): string[] {
  return suites.filter(({ failed }) => failed > 0).map(({ name }) => name);
}

/** The names of the suites to run again: those that failed, or none where too many did. */
export function suitesToRepeat(suites: readonly Suite[]): string[] {
  const failed = failedOf(suites);
  return failed.length > maxRepeated ? [] : failed;
}

/** Judges a run by its suites and those that were run again; a run without any suite has failed. */
export function judge(first: readonly Suite[], again: readonly Suite[], conditions: Conditions): Verdict {
  const repeats = new Map(again.map((suite) => [suite.name, suite]));
  const last = first.map((suite) => repeats.get(suite.name) ?? suite);
  const flaky = failedOf(first).filter((name) => repeats.get(name)?.failed === 0);
  const sum = (key: keyof Counts): number => last.reduce((total, suite) => total + suite[key], 0);
  const counts = { passed: sum('passed'), failed: first.length === 0 ? 1 : sum('failed'), skipped: sum('skipped') };
  const reasons = [
    first.length === 0 && 'the tests did not come to their end',
    ...failedOf(last).map((name) => `failed${repeats.has(name) ? ' twice' : ''}: ${name}`),
    flaky.length > maxFlaky && `${flaky.length} suites were flaky, more than ${maxFlaky}`,
    reasonAgainstSkipped(counts.skipped, conditions.isCI),
  ].filter((reason) => typeof reason === 'string');
  const isUnexplained = conditions.exitCode !== 0 && flaky.length === 0 && reasons.length === 0;
  return { ...counts, flaky, reasons: isUnexplained ? [`jest exited with ${conditions.exitCode}`] : reasons };
}
