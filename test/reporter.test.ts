/**
 * The closing lines of a run, by runs of a suite of two tests: one that passes, and one that the machine cannot run.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '..');
let suite: string;

beforeAll(async () => {
  suite = await mkdtemp(join(tmpdir(), 'reporter-'));
  await writeFile(
    join(suite, 'two.test.js'),
    "test('runs', () => {});\ntest.skip('cannot run here: needs a kernel of its own', () => {});\n",
  );
});
afterAll(() => rm(suite, { recursive: true, force: true }));

async function run(
  env: Readonly<Record<string, string>>,
): Promise<{ exitCode?: number | undefined; lines: readonly string[] }> {
  const config = { rootDir: suite, reporters: [join(import.meta.dirname, 'reporter.ts')] };
  const jest = [
    '--experimental-vm-modules',
    join(repository, 'node_modules/jest/bin/jest.js'),
    '--config',
    JSON.stringify(config),
  ];
  const { exitCode, stderr } = await execa(process.execPath, jest, {
    cwd: repository,
    env: { CI: undefined, ...env },
    reject: false,
  });
  return { exitCode, lines: stderr.trim().split('\n') };
}

const closing = [
  'Not run on this machine:',
  '  - cannot run here: needs a kernel of its own',
  '',
  '1 passed, 0 failed, 1 skipped',
];

test('what could not run is listed, and the last line counts', async () => {
  const { exitCode, lines } = await run({});
  expect({ exitCode, closing: lines.slice(-4) }).toEqual({ exitCode: 0, closing });
});

test('with CI=true a list that is not empty fails the run', async () => {
  const { exitCode, lines } = await run({ CI: 'true' });
  const why = 'CI runs every test: the list of those not run must be empty';
  expect({ exitCode, closing: lines.slice(-6) }).toEqual({
    exitCode: 1,
    closing: [...closing.slice(0, 3), why, ...closing.slice(2)],
  });
});
