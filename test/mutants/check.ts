/**
 * @module Whether every mutant still breaks something: code moves on, and a mutant whose text is gone breaks nothing.
 *
 * `node test/mutants/check.ts` prints what is wrong with which mutant and exits 1, or says how many there are. It runs
 * no test: `npm run mutants` does.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

/** How often the text that a mutant replaces stands in a source. */
export function occurrences(source: string, { find }: Pick<Mutant, 'find'>): number {
  return source.split(find).length - 1;
}

/** What is wrong with a mutant of the tree in a folder, in words; nothing where it can be made and asked for. */
export function faultsOf(mutant: Mutant, tree: string): string[] {
  const source = join(tree, mutant.file);
  const times = existsSync(source) ? occurrences(readFileSync(source, 'utf8'), mutant) : undefined;
  return [
    times === undefined && `${mutant.file} is not there`,
    times !== undefined && times !== 1 && `its text stands ${times} times in ${mutant.file}, not once`,
    mutant.replace === mutant.find && 'it replaces its text by the same text',
    !existsSync(join(tree, mutant.test)) && `${mutant.test} is not there`,
  ].filter((fault) => fault !== false);
}

function main(): void {
  const tree = resolve(import.meta.dirname, '../..');
  const faults = mutants.flatMap((mutant) => faultsOf(mutant, tree).map((fault) => `${mutant.name}: ${fault}`));
  for (const fault of faults) console.error(fault);
  if (faults.length === 0) console.log(`${mutants.length} mutants, each with its text once in its file`);
  else process.exitCode = 1;
}

if (import.meta.main) main();
