/**
 * What `npm run verify` asks before the tests: each row is a small tree that a step lets pass, and the one file that it
 * must refuse there.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { steps } from '../.ci/verify.ts';
import { mutants } from './mutants/mutants.ts';

const repository = join(import.meta.dirname, '..');

interface Row {
  readonly step: string;
  readonly refuses: string;
  /** What the step reads, copied or linked from the repository. */
  readonly copied: readonly string[];
  readonly linked?: readonly string[];
  /** Files of the tree that passes. */
  readonly files?: Readonly<Record<string, string>>;
  /** The file that is wrong, made from what it was. */
  readonly file: string;
  readonly broken: (text: string) => string;
  readonly says: RegExp;
}

const source = 'export const port: number = 80;\n';
const [mutant = { file: '', find: '', name: '' }] = mutants;

const rows: readonly Row[] = [
  {
    step: 'format',
    refuses: 'a line that is laid out by hand',
    copied: ['.oxfmtrc.json'],
    files: { 'src/x.ts': source },
    file: 'src/x.ts',
    broken: () => 'export const port   = 80;\n',
    says: /src\/x\.ts/,
  },
  {
    step: 'lint',
    refuses: 'a promise that nobody awaits',
    copied: ['.oxlintrc.json', '.ci/ownKeys.ts', 'tsconfig.json', '.gitignore'],
    files: { 'src/x.ts': source },
    file: 'src/x.ts',
    broken: (text) => `${text}Promise.resolve(port);\n`,
    says: /no-floating-promises/,
  },
  {
    step: 'types',
    refuses: 'a text where a number belongs',
    copied: ['tsconfig.json', 'package.json'],
    files: { 'src/x.ts': source },
    file: 'src/x.ts',
    broken: (text) => text.replace('80', "'80'"),
    says: /src\/x\.ts.*error TS2322/,
  },
  {
    step: 'circles',
    refuses: 'two files that need the types of each other',
    copied: ['.ci', 'package.json'],
    files: { 'src/x.ts': source, 'src/y.ts': "import type { X } from './x.ts';\nexport type Y = X;\n" },
    file: 'src/x.ts',
    broken: (text) => `import type { Y } from './y.ts';\n${text}export type X = Y;\n`,
    says: /circle of imports: x\.ts, y\.ts/,
  },
  {
    step: 'generated files',
    refuses: 'a type that is not that of the CRD',
    copied: ['crds', 'src/api', 'docs/reference', 'package.json'],
    file: 'src/api/generated/nodeProxy.ts',
    broken: (text) => text.replace('?: string', '?: number'),
    says: /src\/api\/generated\/nodeProxy\.ts is not current/,
  },
  {
    step: 'mutants',
    refuses: 'a mutant whose text is gone',
    copied: ['src', 'test', 'package.json'],
    file: mutant.file,
    broken: (text) => text.replace(mutant.find, ''),
    says: new RegExp(`^${mutant.name}: its text stands 0 times in ${mutant.file}, not once`, 'm'),
  },
  {
    step: 'build',
    refuses: "a library in the agent's part that must not be there",
    copied: ['.ci', 'package.json'],
    linked: ['node_modules/esbuild'],
    files: {
      'src/main.ts': source,
      'src/operator/operator.ts': source,
      'src/agent/runAgent.ts': source,
      'node_modules/@kubernetes/large/package.json': '{"main": "index.js"}',
      'node_modules/@kubernetes/large/index.js': 'exports.large = 1;\n',
    },
    file: 'src/agent/runAgent.ts',
    broken: () => "export { large } from '@kubernetes/large';\n",
    says: /the agent's part holds 1 files that it must not, e\.g\. node_modules\/@kubernetes\/large/,
  },
];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'verify-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function treeOf({ copied, linked = ['node_modules'], files = {} }: Row): Promise<string> {
  const tree = await mkdtemp(join(directory, 'tree-'));
  for (const name of copied) await cp(join(repository, name), join(tree, name), { recursive: true });
  for (const name of linked) {
    await mkdir(dirname(join(tree, name)), { recursive: true });
    await symlink(join(repository, name), join(tree, name));
  }
  for (const [name, text] of Object.entries(files)) await write(join(tree, name), text);
  return tree;
}

/** Runs a step as verify does, in another tree. */
async function run(name: string, cwd: string): Promise<{ exitCode?: number | undefined; all: string }> {
  const [program, ...args] = steps.find((step) => step.name === name)?.command ?? ['false'];
  return execa(program, args, { cwd, preferLocal: true, localDir: repository, all: true, reject: false });
}

test('each step has a row here; set-up has setup.test.ts', () => {
  expect(['set-up', ...rows.map(({ step }) => step)]).toEqual(steps.map(({ name }) => name));
});

test.each(rows)('$step refuses $refuses', async (row) => {
  const tree = await treeOf(row);
  expect(await run(row.step, tree)).toMatchObject({ exitCode: 0 });
  const path = join(tree, row.file);
  const text = await readFile(path, 'utf8');
  const broken = row.broken(text);
  expect(broken).not.toBe(text);
  await write(path, broken);
  expect(await run(row.step, tree)).toMatchObject({ exitCode: 1, all: expect.stringMatching(row.says) });
});
