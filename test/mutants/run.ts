/**
 * @module `npm run mutants`: breaks the product's decisions one by one, in a copy of the tree, and asks that a named test fails for each.
 *
 * A mutant that survives is a decision that no test holds. A mutant whose text is no longer in its file is an error too: it broke nothing.
 * Exit status: 0 every mutant was found, 1 one survived or could not be made.
 */
import { execa } from 'execa';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Mutant, mutants } from './mutants.ts';

type Fate = 'found' | 'survived' | 'not made';

const repository = resolve(import.meta.dirname, '../..');
const copied = ['src', 'test', 'crds', 'config', '.ci', 'package.json', 'jest.config.ts', 'tsconfig.json', 'kustomization.yaml'];

async function copyOfTheTree(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'mutants-'));
  for (const name of copied) await cp(join(repository, name), join(copy, name), { recursive: true });
  await symlink(join(repository, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

async function fateOf({ file, find, replace, test }: Mutant, tree: string): Promise<Fate> {
  const path = join(tree, file);
  const original = await readFile(path, 'utf8');
  if (original.split(find).length !== 2) return 'not made';
  await writeFile(path, original.replace(find, () => replace));
  try {
    const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js', '--reporters=default', test.file];
    const names = test.name === undefined ? [] : ['--testNamePattern', test.name];
    const { exitCode } = await execa(process.execPath, [...jest, ...names], { cwd: tree, reject: false, timeout: 300_000 });
    return exitCode === 0 ? 'survived' : 'found';
  } finally {
    await writeFile(path, original);
  }
}

async function main(pattern: string): Promise<number> {
  const tree = await copyOfTheTree();
  let wrong = 0;
  try {
    const chosen = mutants.filter(({ name }) => name.includes(pattern));
    for (const [index, mutant] of chosen.entries()) {
      const fate = await fateOf(mutant, tree);
      if (fate !== 'found') wrong++;
      console.log(`[${index + 1}/${chosen.length}] ${fate.padEnd(8)} ${mutant.name} (${mutant.file}; ${mutant.test.file})`);
    }
    console.log(`\n${chosen.length - wrong} of ${chosen.length} mutants found`);
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
  return wrong === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv[2] ?? '');
