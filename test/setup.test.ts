/** The step that every command begins with, on machines that lack something: one message, with the remedy. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWhere } from './support/requirements.ts';

const repository = join(import.meta.dirname, '..');

interface Outcome {
  readonly exitCode?: number | undefined;
  readonly stderr: string;
}

/** Runs it as `.ci/setup.mjs GOAL` with nothing in the environment but what is given. */
async function setUp(
  goal: string,
  env: Readonly<Record<string, string>>,
  before: readonly string[] = [],
): Promise<Outcome> {
  return execa('/usr/bin/env', [...before, process.execPath, '.ci/setup.mjs', goal], {
    cwd: repository,
    env,
    extendEnv: false,
    reject: false,
  });
}

const {
  PATH: usualPath = '',
  HOME: home = '/root',
  XDG_CACHE_HOME: cacheHome,
  KUBEBUILDER_ASSETS: assets,
} = process.env;
/** Where the local cluster's programs were found by whoever runs this. */
const usual = {
  PATH: usualPath,
  HOME: home,
  ...(cacheHome !== undefined && { XDG_CACHE_HOME: cacheHome }),
  ...(assets !== undefined && { KUBEBUILDER_ASSETS: assets }),
};

describeWhere(['root', 'cluster'], 'set-up', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'setup-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** Everything that the machine has, but another `go`, or none. */
  async function pathWithGo(script?: string): Promise<string> {
    const path = await mkdtemp(join(directory, 'bin-'));
    await execa('sh', ['-c', 'cp -s /usr/bin/* /usr/sbin/* "$0" 2>/dev/null; rm -f "$0/go"', path]);
    if (script === undefined) return path;
    await writeFile(join(path, 'go'), script);
    await chmod(join(path, 'go'), 0o755);
    return path;
  }

  test('without anything missing it says nothing, soon', async () => {
    const started = performance.now();
    expect(await setUp('cluster', usual)).toMatchObject({ exitCode: 0, stderr: '' });
    const tookMs = performance.now() - started;
    process.stdout.write(`set-up with nothing missing took ${Math.round(tookMs)} ms\n`);
    expect(tookMs).toBeLessThan(6000);
  });

  test('without root the cluster cannot be brought up, and it says how', async () => {
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const { exitCode, stderr } = await setUp('cluster', { PATH: usualPath }, asNobody);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(/^set-up: .*run the command as root \(sudo\)\.$/),
    });
  });

  test('where programs are missing and it is no Debian, it names the packages', async () => {
    const { exitCode, stderr } = await setUp('cluster', { PATH: directory, HOME: home });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(
        /^set-up: This is not a Debian machine.*Install these and run the command again: .*\bcurl$/,
      ),
    });
  });

  test.each(['test', 'cluster'])(
    'a KUBERNETES that is no version ends the set-up for %s, and it says why',
    async (goal) => {
      const { exitCode, stderr } = await setUp(goal, { ...usual, KUBERNETES: 'newest' });
      expect({ exitCode, stderr }).toEqual({
        exitCode: 1,
        stderr: expect.stringMatching(/^set-up: KUBERNETES=newest: that is no version of Kubernetes\. [^\n]*$/),
      });
    },
  );

  const rows: readonly { name: string; go: string | undefined; says: RegExp }[] = [
    { name: 'no Go', go: undefined, says: /^set-up: Go is needed to build.*Install Go 1\.26 or newer/ },
    {
      name: "Debian 12's own Go",
      go: '#!/bin/sh\necho go version go1.19.8 linux/amd64\n',
      says: /^set-up: Go 1\.19 is too old to build.*Install Go 1\.26 or newer/,
    },
  ];
  test.each(rows)('with $name and nothing built yet it names the version to install', async ({ go, says }) => {
    const cache = join(directory, 'cache');
    await mkdir(cache, { recursive: true });
    const { exitCode, stderr } = await setUp('cluster', {
      PATH: await pathWithGo(go),
      HOME: home,
      XDG_CACHE_HOME: cache,
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(says) });
  });

  test('a goal that there is not is named, with those that there are', async () => {
    expect(await setUp('everything', { PATH: usualPath })).toMatchObject({
      exitCode: 1,
      stderr: 'set-up: unknown goal everything; one of npm, test, cluster',
    });
  });
});
