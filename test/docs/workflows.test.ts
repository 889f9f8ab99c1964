/**
 * The workflows of `.github`: actionlint takes them and not what is broken in them, nothing in them is a moving tag,
 * and no job has more rights than it needs.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parse } from 'yaml';
import { ensureBinaries } from '../cluster/binaries.ts';
import { describeWhere } from '../support/requirements.ts';

type Permissions = Readonly<Record<string, string>>;
interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Permissions;
  readonly jobs: Readonly<Record<string, Job>>;
}
interface Job {
  readonly permissions?: Permissions;
  readonly steps?: readonly { readonly uses?: string; readonly run?: string; readonly with?: object }[];
}

const folder = '.github/workflows';
const files = globSync(`${folder}/*.{yml,yaml}`).map((path) => ({ name: basename(path), path }));
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');
const workflowOf = (name: string): Workflow => parse(textOf(name)) as Workflow;

describeWhere(['actionlint'], 'actionlint', () => {
  let actionlint = '';
  let copy = '';

  beforeAll(async () => {
    ({ actionlint } = await ensureBinaries({ which: ['actionlint'] }));
    copy = await mkdtemp(join(tmpdir(), 'workflows-'));
    // Where it stands between .git and .github, actionlint reads what workflows call in each other.
    await mkdir(join(copy, '.git'));
    await mkdir(join(copy, folder), { recursive: true });
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  /** Of all workflows, with another text for one of them. Linters of other languages are off: few have them. */
  async function faultsOf(name: string, text: string): Promise<string> {
    for (const file of files) await writeFile(join(copy, file.path), file.name === name ? text : textOf(file.name));
    const { stdout, exitCode } = await execa(
      actionlint,
      ['-shellcheck=', '-pyflakes=', '-oneline', ...files.map(({ path }) => path)],
      { cwd: copy, reject: false },
    );
    expect(exitCode).toBe(stdout === '' ? 0 : 1);
    return stdout;
  }

  test.each(files)('takes $name', async ({ name }) => {
    expect(await faultsOf(name, textOf(name))).toBe('');
  });

  test.each([
    { broken: 'a job that is not there', name: 'release.yaml', from: 'needs: image', to: 'needs: images' },
    { broken: 'a machine that is not there', name: 'verify.yaml', from: 'ubuntu-24.04', to: 'ubuntu-2404' },
    { broken: 'a right that is not there', name: 'verify.yaml', from: 'contents: read', to: 'content: read' },
    { broken: 'a value that is not there', name: 'release.yaml', from: 'matrix.node }', to: 'matrix.nodes }' },
    { broken: 'a called workflow that is not there', name: 'release.yaml', from: '/verify.yaml', to: '/check.yaml' },
    { broken: 'a workflow that cannot be called', name: 'verify.yaml', from: '  workflow_call:\n', to: '' },
    { broken: 'a key that jobs do not have', name: 'verify.yaml', from: 'timeout-minutes:', to: 'timeout:' },
  ])('refuses $broken', async ({ name, from, to }) => {
    const text = textOf(name);
    expect(text).toContain(from);
    expect(await faultsOf(name, text.replace(from, to))).not.toBe('');
  });
});

describe.each(files)('$name', ({ name }) => {
  const { permissions = {}, jobs } = workflowOf(name);

  test('takes actions by their commit, with the version behind it, and workflows from this tree', () => {
    const uses = [...textOf(name).matchAll(/\buses: (.*)$/gm)].map(([, what = '']) => what);
    expect(uses.length).toBeGreaterThan(0);
    expect(
      uses.filter((what) => !/^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$|^\.\/\.github\/workflows\//.test(what)),
    ).toEqual([]);
  });

  test('gives rights to write to single jobs alone, and to those that publish', () => {
    expect(Object.values(permissions).filter((right) => right !== 'read')).toEqual([]);
    const writers = Object.entries(jobs).filter(([, job]) => Object.values(job.permissions ?? {}).includes('write'));
    expect(writers.map(([job]) => job)).toEqual(name === 'release.yaml' ? ['image', 'publish'] : []);
  });

  test('keeps no token in the work tree', () => {
    const checkouts = Object.values(jobs)
      .flatMap(({ steps = [] }) => steps)
      .filter(({ uses = '' }) => uses.startsWith('actions/checkout@'));
    expect(checkouts.map((step) => step.with)).toEqual(checkouts.map(() => ({ 'persist-credentials': false })));
  });

  test('runs files and npm scripts that are there', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const text = textOf(name);
    const paths = [...text.matchAll(/(?<=[\s:])\.ci\/[\w.]+/g)].map(([path]) => path);
    const named = [...text.matchAll(/\bnpm run ([\w:]+)/g)].map(([, script = '']) => script);
    expect([paths.filter((path) => !existsSync(path)), named.filter((script) => !(script in scripts))]).toEqual([
      [],
      [],
    ]);
  });

  /** What is put between a shell's words by the server is run by the shell; from the environment it is data. */
  test('puts no expression into a script', () => {
    const scripts = Object.values(jobs).flatMap(({ steps = [] }) => steps.flatMap(({ run = '' }) => run));
    expect(scripts.filter((script) => script.includes('${{'))).toEqual([]);
  });
});

test('verify runs .ci/run for pull requests, for main and for a release', () => {
  const { on, jobs } = workflowOf('verify.yaml');
  expect(Object.keys(on)).toEqual(['pull_request', 'push', 'workflow_call']);
  expect(on['push']).toEqual({ branches: ['main'] });
  expect(jobs['verify']?.steps?.at(-1)?.run).toBe('.ci/run');
});

test('a release is verified before an image is made, and only a tag makes one', () => {
  const { on, jobs } = workflowOf('release.yaml');
  expect(on).toEqual({ push: { tags: ['v*'] } });
  expect(jobs).toMatchObject({
    verify: { needs: 'ready', uses: './.github/workflows/verify.yaml' },
    image: { needs: 'verify' },
    publish: { needs: 'image' },
  });
});

test('docs/RELEASE.md names the variables and secrets that workflows read, and their jobs', () => {
  const page = readFileSync('docs/RELEASE.md', 'utf8');
  const read = [...textOf('release.yaml').matchAll(/(?:vars|secrets)\.(\w+)/g)].map(([, name = '']) => name);
  const own = new Set(read.filter((name) => name !== 'GITHUB_TOKEN'));
  expect(own.size).toBe(4);
  expect(
    [...own, ...Object.keys(workflowOf('release.yaml').jobs)].filter((name) => !page.includes(`\`${name}\``)),
  ).toEqual([]);
});

test('forms for reports have what GitHub asks of them, and send vulnerabilities elsewhere', () => {
  const forms = globSync('.github/ISSUE_TEMPLATE/*.yml').map((path) => ({
    path,
    form: parse(readFileSync(path, 'utf8')) as { name?: string; description?: string; body?: { type: string }[] },
  }));
  expect(forms.map(({ path }) => basename(path))).toEqual(['bug.yml', 'feature.yml']);
  for (const { form } of forms) {
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    expect(form.body?.map(({ type }) => type).filter((type) => !/^(markdown|textarea|input)$/.test(type))).toEqual([]);
  }
  expect(JSON.stringify(forms)).toContain('SECURITY.md');
});
