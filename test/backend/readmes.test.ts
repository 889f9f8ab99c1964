/**
 * The README of a mode, and that of netfilter, lists the files below its folder; one that it omits, or that is gone, is
 * found here.
 */
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { codeIn, tableBelow } from '../docs/pages.ts';

const heading = '## The files, in the order of the data';

describe.each(['src/backend/iptables', 'src/backend/ipvs', 'src/netfilter'])('README of %s', (folder) => {
  /** As they stand in the first column, relative to the folder. */
  const listed = (): string[] =>
    tableBelow(join(folder, 'README.md'), heading).flatMap(([files = '']) => codeIn(files));

  test('lists exactly the files that are there, each once', () => {
    const sources = globSync('**/*.ts', { cwd: folder });
    expect(listed().filter(isWithin).sort()).toEqual(sources.sort());
  });

  test('names files of other folders that are there', () => {
    const others = listed().filter((file) => !isWithin(file));
    expect(others.filter((file) => !existsSync(join(folder, file)))).toEqual([]);
  });
});

function isWithin(file: string): boolean {
  return !file.startsWith('../');
}
