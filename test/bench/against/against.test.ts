/** Two builds beside each other, for real: checked out, built, started, measured, and gone. */
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWhere } from '../../support/requirements.ts';
import { scaled } from '../../support/scale.ts';
import type { asDocument } from './report.ts';
import { checkOut, commitOf, removeCheckout, treeIn } from './revision.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const program = join(root, 'test', 'bench', 'bench.ts');

/** Nothing is left in it afterwards, not even an entry of git's. */
async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'against-'));
  try {
    await work(directory);
    expect((await readdir(directory)).filter((name) => !name.startsWith('proxyconfig-apiserver-'))).toEqual([]);
    expect((await execa('git', ['worktree', 'list', '--porcelain'], { cwd: root })).stdout).not.toContain(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const progress = (): void => {};

function bench(directory: string, args: readonly string[]) {
  const env = { TMPDIR: directory };
  return execa(process.execPath, [program, ...args], { cwd: root, env, reject: false });
}

describe('checkOut', () => {
  test('makes the bundle of a commit, and its removal leaves the npm packages of the work tree', async () => {
    const commit = (await commitOf('HEAD')) ?? '';
    await inDirectory(async (directory) => {
      const { signal } = new AbortController();
      await checkOut(commit, { directory, progress, signal });
      const { stdout } = await execa(join(treeIn(directory), 'dist', 'proxyconfig.js'), ['--version']);
      expect(stdout).toMatch(/^\d+\.\d+\.\d+$/);
      await removeCheckout({ directory, progress });
    });
    expect(await readFile(join(root, 'node_modules', 'esbuild', 'package.json'), 'utf8')).toContain('esbuild');
  });

  test('leaves nothing that cannot be removed when it is stopped', async () => {
    const commit = (await commitOf('HEAD')) ?? '';
    await inDirectory(async (directory) => {
      const stopping = new AbortController();
      const stop = (line: string): void => {
        if (line === 'building it') stopping.abort();
      };
      await expect(checkOut(commit, { directory, progress: stop, signal: stopping.signal })).rejects.toThrow('aborted');
      expect(await readdir(treeIn(directory))).toContain('node_modules');
      await removeCheckout({ directory, progress });
    });
  });

  test('knows no commit of a name that git does not know', async () => {
    expect(await commitOf('no-such-branch')).toBeUndefined();
    expect(await commitOf('--all')).toBeUndefined();
  });
});

describeWhere(['root', 'cluster', 'iptables'], 'npm run bench -- --against', () => {
  const small = ['--services', '10', '--rounds', '1', '--changes', '1', '--variant', 'nft'];
  // The others take half a minute more.
  const workloads = ['cold', 'restart', 'memory', ...scaled([], ['change', 'connect'])];
  /** Of ten Services no tool's CPU need be a tick. */
  const certain = ['cold', 'coldCpu', 'restart', 'restartCpu', 'rss', 'rssAlone', 'rssPeak', 'rssPeakAlone'].concat(
    scaled([], ['change', 'hit', 'one', 'miss']),
  );

  test('measures HEAD beside its parent, judges by --max-ratio, and leaves nothing', async () => {
    const parent = (await commitOf('HEAD^')) === undefined ? 'HEAD' : 'HEAD^';
    const flags = ['--workload', workloads.join(','), '--max-ratio', '0.001', '-o', 'json'];
    await inDirectory(async (directory) => {
      const { stdout, stderr, exitCode } = await bench(directory, ['--against', parent, ...small, ...flags]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('round 1/1, revision') });
      const { rows, above } = JSON.parse(stdout) as ReturnType<typeof asDocument>;
      const measured = rows.filter(({ workTree, revision }) => workTree > 0 && revision > 0);
      expect(measured.map(({ measure }) => measure)).toEqual(expect.arrayContaining(certain));
      expect(above).toContainEqual({ variant: 'nft', measure: 'cold' });
    });
  }, 180_000);

  test('leaves nothing when it is stopped, and says so by its exit status', async () => {
    await inDirectory(async (directory) => {
      const running = bench(directory, ['--against', 'HEAD', ...small]);
      running.stderr.on('data', (text: Buffer) => {
        if (text.includes('kube-apiserver is ready')) running.kill('SIGTERM');
      });
      expect((await running).exitCode).toBe(130);
    });
  }, 120_000);

  test.each([
    { args: ['--against', 'no-such-branch'], says: "git knows no commit 'no-such-branch' here" },
    { args: ['--against', 'HEAD', '--rounds', '0'], says: "argument '0' is invalid" },
  ])('$args is wrong usage', async ({ args, says }) => {
    const { stdout, stderr, exitCode } = await bench(tmpdir(), args);
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: '', stderr: expect.stringContaining(says), exitCode: 2 });
  });

  test('--help shows every command, examples and exit statuses', async () => {
    const { stdout, exitCode } = await bench(tmpdir(), ['--help']);
    expect(exitCode).toBe(0);
    for (const words of ['--only <parts>', '--against <rev>', '--max-ratio', 'Examples:', 'Exit status: 0 measured; 1'])
      expect(stdout).toContain(words);
  });
});
