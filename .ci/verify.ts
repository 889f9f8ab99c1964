/**
 * @module `npm run verify`: what CI decides by, one step after the other, each with its duration; stops at the first
 * that fails.
 *
 * The last line of a run that came to the tests is `N passed, N failed, N skipped`. Exits 1 when a step failed.
 */
import { execa } from 'execa';
import { resolve } from 'node:path';
import { closingLines, runTests } from './tests.ts';

export interface Step {
  readonly name: string;
  /** A program, of node_modules/.bin or of the machine, and its arguments; fails when it does not exit with 0. */
  readonly command: readonly [string, ...string[]];
}

/** What comes before the tests, the quickest first. Each is shown to refuse something in test/verify.test.ts. */
export const steps: readonly Step[] = [
  { name: 'set-up', command: ['node', '.ci/setup.mjs', 'test'] },
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'lint', command: ['oxlint', '--type-aware'] },
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'circles', command: ['node', '.ci/circles.ts'] },
  { name: 'generated files', command: ['node', 'crds/generate.ts', '--check'] },
  { name: 'mutants', command: ['node', 'test/mutants/check.ts'] },
  { name: 'build', command: ['node', '.ci/build.ts'] },
];

/** Runs a step in the tree of a folder; what it prints is shown. Returns whether it passed. */
async function passes({ command: [program, ...args] }: Step, folder: string): Promise<boolean> {
  const { failed } = await execa(program, args, {
    cwd: folder,
    preferLocal: true,
    stdio: ['ignore', 2, 2],
    reject: false,
  });
  return !failed;
}

/** Says how long a step took, from its start by the monotonic clock, and what came of it. */
function report(name: string, started: number, hasPassed: boolean): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.error(`verify: ${name} ${hasPassed ? 'passed' : 'failed'} in ${seconds} s`);
}

/** Runs every step and then the tests in the tree of a folder; returns whether all passed. */
async function verify(folder: string): Promise<boolean> {
  const began = performance.now();
  for (const step of steps) {
    const started = performance.now();
    const hasPassed = await passes(step, folder);
    report(step.name, started, hasPassed);
    if (!hasPassed) return false;
  }
  const started = performance.now();
  const verdict = await runTests(folder);
  const hasPassed = verdict.reasons.length === 0;
  report('tests', started, hasPassed);
  report('everything', began, hasPassed);
  process.stderr.write(closingLines(verdict));
  return hasPassed;
}

if (import.meta.main) process.exitCode = (await verify(resolve(import.meta.dirname, '..'))) ? 0 : 1;
