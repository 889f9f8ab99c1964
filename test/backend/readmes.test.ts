/**
 * The README of a mode's folder lists its files; a file that it omits, or that is gone, is found here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

describe('README', () => {
  test.each(['iptables', 'ipvs'])('of src/backend/%s lists exactly the files that are there', (mode) => {
    const folder = new URL(`../../src/backend/${mode}/`, import.meta.url);
    const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));
    expect(listedFiles(readFileSync(new URL('README.md', folder), 'utf8'))).toEqual(sources.sort());
  });
});

/** The first cells of the table of files, without those of other folders; sorted, and twice where they stand twice. */
function listedFiles(readme: string): readonly string[] {
  const [, section = ''] = /^## The files[^\n]*\n(.*?)^## /ms.exec(readme) ?? [];
  const cells = [...section.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = '']) => cell);
  return cells
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
    .filter((name) => !name.includes('/'))
    .sort();
}
