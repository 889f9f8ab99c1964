/**
 * @module `npm run mutants`: breaks the product's decisions one by one, in a copy of the tree, and asks that for each
 * the test fails that is named beside it. Only that test is run.
 *
 * A mutant that survives is a decision that no test holds. A mutant whose text is no longer in its file is an error
 * too: it broke nothing. Exit status: 0 every mutant was found, 1 one survived or could not be made.
 */
import { execa } from 'execa';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { occurrences } from './check.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

/** Found: by the test of that name. Untested: no test of that name ran. */
type Fate = { readonly kind: 'found'; readonly by: string } | { readonly kind: 'survived' | 'not made' | 'untested' };

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const repository = resolve(import.meta.dirname, '../..');
const copied = [
  'src',
  'test',
  'crds',
  'config',
  '.ci',
  'package.json',
  'jest.config.ts',
  'tsconfig.json',
  'kustomization.yaml',
];

async function copyOfTheTree(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'mutants-'));
  for (const name of copied) await cp(join(repository, name), join(copy, name), { recursive: true });
  await symlink(join(repository, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/**
 * The tests of a file, or of a folder, that have one of these texts in their names; undefined where they did not come
 * to an end.
 */
async function runTests(test: string, names: readonly string[], tree: string): Promise<Report | undefined> {
  const output = join(tree, 'report.json');
  const chosen = names.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)).join('|');
  const jest = [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    '--json',
    `--outputFile=${output}`,
    `--testNamePattern=${chosen}`,
    '--',
    test,
  ];
  const { timedOut } = await execa(process.execPath, jest, { cwd: tree, reject: false, timeout: 300_000 });
  return timedOut ? undefined : (JSON.parse(await readFile(output, 'utf8')) as Report);
}

function fateFrom(report: Report | undefined): Fate {
  const ran = (report?.testResults ?? [])
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'passed' || status === 'failed');
  if (ran.length === 0) return { kind: 'untested' };
  const failed = ran.find(({ status }) => status === 'failed');
  return failed === undefined ? { kind: 'survived' } : { kind: 'found', by: failed.fullName };
}

async function fateOf(mutant: Mutant, tree: string): Promise<Fate> {
  const { file, find, replace, test, killer } = mutant;
  const path = join(tree, file);
  const original = await readFile(path, 'utf8');
  if (occurrences(original, mutant) !== 1) return { kind: 'not made' };
  await writeFile(
    path,
    original.replace(find, () => replace),
  );
  try {
    return fateFrom(await runTests(test, [killer], tree));
  } finally {
    await writeFile(path, original);
  }
}

/**
 * Without a mutant every test passes, or a failure would say nothing about one; on a busy machine perhaps the second
 * time.
 */
async function testsPass(chosen: readonly Mutant[], tree: string): Promise<boolean> {
  for (const [test, mutantsOfIt] of Map.groupBy(chosen, (mutant) => mutant.test)) {
    const run = async (): Promise<Fate> =>
      fateFrom(
        await runTests(
          test,
          mutantsOfIt.map(({ killer }) => killer),
          tree,
        ),
      );
    const first = await run();
    const fate = first.kind === 'survived' ? first : await run();
    if (fate.kind === 'survived') continue;
    console.log(`without any mutant, ${test}: ${fate.kind === 'found' ? `${fate.by} fails` : 'no test ran'}`);
    return false;
  }
  return true;
}

function seconds(since: number): string {
  return `${Math.round((performance.now() - since) / 1000)} s`;
}

async function main(pattern: string): Promise<number> {
  const began = performance.now();
  const tree = await copyOfTheTree();
  let wrong = 0;
  try {
    const chosen = mutants.filter(({ name }) => name.includes(pattern));
    if (!(await testsPass(chosen, tree))) return 1;
    for (const [index, mutant] of chosen.entries()) {
      const started = performance.now();
      const fate = await fateOf(mutant, tree);
      if (fate.kind !== 'found') wrong += 1;
      console.log(
        `[${index + 1}/${chosen.length}] ${fate.kind.padEnd(8)} ${mutant.name} (${seconds(started)})\n        in ${mutant.file}\n        ${fate.kind === 'found' ? `by ${fate.by}` : `not by ${mutant.killer}, ${mutant.test}`}`,
      );
    }
    console.log(`\n${chosen.length - wrong} of ${chosen.length} mutants found in ${seconds(began)}`);
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
  return wrong === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv[2] ?? '');
