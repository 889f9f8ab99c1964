/**
 * @module Runs every test, and each suite that failed once more, alone.
 *
 * A suite that passes the second time is flaky: one of a run is let pass and named, several fail the run. A suite that
 * fails twice fails it, and so do more failed suites than a handful, which are not run again. The counts at the end
 * are those of the last run of each suite.
 *
 * `node .ci/tests.ts` does it in the current folder, by its npm script `jest`; exits 1 when the run failed.
 */
import { execa } from 'execa';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { countsLine, judge, type Suite, suitesToRepeat, type Verdict } from './verdict.ts';

/** The part of jest's --json report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

interface JestRun {
  readonly suites: readonly Suite[];
  readonly exitCode: number;
}

/** The counts of each suite; one that failed apart from its tests, e.g. while it was loaded, counts as one failure. */
function suitesOf(report: Report, folder: string): Suite[] {
  return report.testResults.map(({ name, status, assertionResults }) => {
    const count = (wanted: string): number => assertionResults.filter((test) => test.status === wanted).length;
    const failed = Math.max(count('failed'), status === 'failed' ? 1 : 0);
    return { name: relative(folder, name), passed: count('passed'), failed, skipped: count('pending') };
  });
}

/** Runs jest in a folder, its output shown; without suites where it did not come to its end. */
async function runJest(folder: string, args: readonly string[]): Promise<JestRun> {
  const outputs = mkdtempSync(join(tmpdir(), 'tests-'));
  const output = join(outputs, 'report.json');
  try {
    const jest = ['run', '--silent', 'jest', '--', '--json', `--outputFile=${output}`, ...args];
    const { exitCode = 1 } = await execa('npm', jest, { cwd: folder, stdio: ['ignore', 2, 2], reject: false });
    const suites = existsSync(output) ? suitesOf(JSON.parse(readFileSync(output, 'utf8')) as Report, folder) : [];
    return { suites, exitCode };
  } finally {
    rmSync(outputs, { recursive: true });
  }
}

/** Runs the tests of a folder, the failed suites twice. */
export async function runTests(folder: string): Promise<Verdict> {
  const { suites, exitCode } = await runJest(folder, []);
  const conditions = { exitCode, isCI: process.env['CI'] === 'true' };
  const repeated = suitesToRepeat(suites);
  if (repeated.length === 0) return judge(suites, [], conditions);
  console.error(`\nFailed, so run once more, alone: ${repeated.join(', ')}`);
  const again = await runJest(folder, ['--runInBand', '--runTestsByPath', ...repeated]);
  return judge(suites, again.suites, conditions);
}

/** What a person should know of a run; the counts are the last line. */
export function closingLines(verdict: Verdict): string {
  const lines = [...verdict.flaky.map((name) => `flaky: ${name}`), ...verdict.reasons, countsLine(verdict)];
  return `\n${lines.join('\n')}\n`;
}

async function main(): Promise<void> {
  const verdict = await runTests(process.cwd());
  writeSync(process.stderr.fd, closingLines(verdict));
  process.exitCode = verdict.reasons.length === 0 ? 0 : 1;
}

if (import.meta.main) await main();
