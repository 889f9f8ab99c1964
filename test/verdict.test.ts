/** What becomes of a run in which suites failed: the decision by its counts, and real runs of a project of three suites. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { judge, type Suite, suitesToRepeat, type Verdict } from '../.ci/verdict.ts';

const repository = join(import.meta.dirname, '..');

const passes = (name: string): Suite => ({ name, passed: 3, failed: 0, skipped: 0 });
const fails = (name: string): Suite => ({ name, passed: 1, failed: 2, skipped: 0 });
const skips = (name: string): Suite => ({ name, passed: 2, failed: 0, skipped: 1 });

interface Row {
  readonly name: string;
  readonly first: readonly Suite[];
  readonly again?: readonly Suite[];
  readonly exitCode?: number;
  readonly isCI?: boolean;
  readonly repeated?: readonly string[];
  readonly verdict: Partial<Verdict>;
}

const rows: readonly Row[] = [
  {
    name: 'every suite passes',
    first: [passes('a'), passes('b')],
    exitCode: 0,
    verdict: { passed: 6, failed: 0, flaky: [], reasons: [] },
  },
  {
    name: 'one fails, then passes: its counts are the later ones',
    first: [passes('a'), fails('b')],
    repeated: ['b'],
    again: [passes('b')],
    verdict: { passed: 6, failed: 0, flaky: ['b'], reasons: [] },
  },
  {
    name: 'one fails twice',
    first: [passes('a'), fails('b')],
    repeated: ['b'],
    again: [fails('b')],
    verdict: { passed: 4, failed: 2, flaky: [], reasons: ['failed twice: b'] },
  },
  {
    name: 'one fails and has no result the second time',
    first: [passes('a'), fails('b')],
    repeated: ['b'],
    again: [],
    verdict: { passed: 4, failed: 2, flaky: [], reasons: ['failed: b'] },
  },
  {
    name: 'two are flaky',
    first: [fails('a'), fails('b')],
    repeated: ['a', 'b'],
    again: [passes('a'), passes('b')],
    verdict: { passed: 6, failed: 0, flaky: ['a', 'b'], reasons: ['2 suites were flaky, more than 1'] },
  },
  {
    name: 'one is flaky, one fails twice',
    first: [fails('a'), fails('b')],
    repeated: ['a', 'b'],
    again: [passes('a'), fails('b')],
    verdict: { passed: 4, failed: 2, flaky: ['a'], reasons: ['failed twice: b'] },
  },
  {
    name: 'more than three fail: none is run again',
    first: ['a', 'b', 'c', 'd'].map(fails),
    verdict: { passed: 4, failed: 8, flaky: [], reasons: ['failed: a', 'failed: b', 'failed: c', 'failed: d'] },
  },
  {
    name: 'tests are skipped on a machine that lacks something',
    first: [passes('a'), skips('b')],
    exitCode: 0,
    verdict: { passed: 5, failed: 0, skipped: 1, reasons: [] },
  },
  {
    name: 'tests are skipped in CI, beside a flaky suite',
    first: [fails('a'), skips('b')],
    repeated: ['a'],
    again: [passes('a')],
    isCI: true,
    verdict: { skipped: 1, flaky: ['a'], reasons: ['CI runs every test: the list of those not run must be empty'] },
  },
  {
    name: 'jest fails though every suite passed',
    first: [passes('a')],
    verdict: { passed: 3, failed: 0, reasons: ['jest exited with 1'] },
  },
  {
    name: 'jest does not come to its end',
    first: [],
    verdict: { passed: 0, failed: 1, reasons: ['the tests did not come to their end'] },
  },
];

test.each(rows)('judge: $name', ({ first, again = [], exitCode = 1, isCI = false, repeated = [], verdict }) => {
  expect(suitesToRepeat(first)).toEqual(repeated);
  expect(judge(first, again, { exitCode, isCI })).toMatchObject(verdict);
});

describe('node .ci/tests.ts', () => {
  let project: string;
  beforeEach(async () => {
    project = await mkdtemp(join(tmpdir(), 'verdict-'));
    const jest = `${process.execPath} --experimental-vm-modules ${join(repository, 'node_modules/jest/bin/jest.js')}`;
    const config = { rootDir: project, reporters: ['default', join(import.meta.dirname, 'reporter.ts')] };
    await writeFile(join(project, 'package.json'), JSON.stringify({ scripts: { jest }, jest: config }));
    await writeFile(join(project, 'steady.test.js'), "test('one', () => {});\ntest('two', () => {});\n");
  });
  afterEach(() => rm(project, { recursive: true, force: true }));

  /** A suite whose second test passes from its second run on. */
  async function writeFlaky(name: string): Promise<void> {
    await writeFile(
      join(project, `${name}.test.js`),
      `const { existsSync, writeFileSync } = require('node:fs');
      test('always', () => {});
      test('from the second time on', () => {
        const wasHere = existsSync(${JSON.stringify(join(project, name))});
        writeFileSync(${JSON.stringify(join(project, name))}, '');
        expect(wasHere).toBe(true);
      });`,
    );
  }

  async function run(): Promise<{ exitCode?: number | undefined; closing: readonly string[] }> {
    const { exitCode, stderr } = await execa(process.execPath, [join(repository, '.ci/tests.ts')], {
      cwd: project,
      env: { CI: undefined },
      reject: false,
    });
    return { exitCode, closing: stderr.trim().split('\n\n').at(-1)?.split('\n') ?? [] };
  }

  test('a suite that fails the first time is run again alone, named and let pass', async () => {
    await writeFlaky('flaky');
    expect(await run()).toEqual({ exitCode: 0, closing: ['flaky: flaky.test.js', '4 passed, 0 failed, 0 skipped'] });
  });

  test('a suite that always fails fails the run', async () => {
    await writeFile(join(project, 'broken.test.js'), "test('three', () => { throw new Error('broken'); });\n");
    const closing = ['failed twice: broken.test.js', '2 passed, 1 failed, 0 skipped'];
    expect(await run()).toEqual({ exitCode: 1, closing });
  });

  test('a suite that cannot be loaded counts as one failure', async () => {
    await writeFile(join(project, 'broken.test.js'), "require('./nowhere.js');\n");
    const closing = ['failed twice: broken.test.js', '2 passed, 1 failed, 0 skipped'];
    expect(await run()).toEqual({ exitCode: 1, closing });
  });

  test('two flaky suites fail the run', async () => {
    await writeFlaky('flaky');
    await writeFlaky('shaky');
    const { exitCode, closing } = await run();
    expect({ exitCode, closing: closing.toSorted() }).toEqual({
      exitCode: 1,
      closing: [
        '2 suites were flaky, more than 1',
        '6 passed, 0 failed, 0 skipped',
        'flaky: flaky.test.js',
        'flaky: shaky.test.js',
      ],
    });
  });
});
