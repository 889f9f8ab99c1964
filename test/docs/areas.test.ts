/**
 * docs/areas.md against the tree: each folder has its place, and each place is there.
 */
import { existsSync, globSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from '@jest/globals';
import { codeIn, tableBelow } from './pages.ts';

const rows = tableBelow('docs/areas.md', '# Areas').map(([area = '', files = '', tests = '', read = '']) => ({
  area: codeIn(area)[0] ?? '',
  named: codeIn(`${files} ${tests}`).filter((code) => !code.startsWith('npm run ')),
  withFolders: [...files.matchAll(/`([^`]+)` with its folders/g)].map(([, folder = '']) => folder),
  read,
}));
const named = new Set(rows.flatMap((row) => row.named));
const withFolders = new Set(rows.flatMap((row) => row.withFolders));

/** Two levels of src, and of each mode the third; of test those that stand for one of src, and not what only holds the data of tests. */
const folders = globSync(['src/*', 'src/*/*', 'src/backend/*/*', 'test/*', 'test/backend/*'])
  .filter((path) => statSync(path).isDirectory())
  .sort();

test('every folder of src and test is named, or is in one that is named with its folders', () => {
  expect(folders.filter((folder) => !named.has(folder) && !withFolders.has(dirname(folder)))).toEqual([]);
});

test('a folder that is named with its folders has some', () => {
  expect(withFolders.size).toBeGreaterThan(3);
  const parents = new Set(folders.map((folder) => dirname(folder)));
  expect([...withFolders].filter((folder) => !parents.has(folder))).toEqual([]);
});

test('every folder and file that is named is there', () => {
  expect([...named].filter((path) => !existsSync(path))).toEqual([]);
});

test('each area has one row, with folders, tests and a page to read', () => {
  expect(rows.length).toBeGreaterThan(10);
  expect(new Set(rows.map(({ area }) => area)).size).toBe(rows.length);
  expect(rows.filter(({ area, named: paths, read }) => area === '' || paths.length === 0 || read === '')).toEqual([]);
});

test('the folders are seen', () => {
  expect(folders).toEqual(expect.arrayContaining(['src/api/generated', 'src/backend/ipvs/plan', 'test/backend/ipvs']));
});
