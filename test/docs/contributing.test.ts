/**
 * CONTRIBUTING.md: what it tells to run is there, and its lists are those of the tree.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { codeIn, tableBelow } from './pages.ts';

const page = readFileSync('CONTRIBUTING.md', 'utf8');

test('its first patch breaks a rule that is there, and names a test that is there', () => {
  const model = readFileSync('src/model/endpoints.ts', 'utf8');
  expect(model).toMatch(/function isTerminatingFallback\([^)]*\): boolean \{\n.*&& endpoint\.terminating;/);
  expect(page.replaceAll(/\s+/g, ' ')).toContain('*only leaving ones: those that still serve*');
  expect(readFileSync('test/model/endpoints.test.ts', 'utf8')).toContain("'only leaving ones: those that still serve'");
});

test('tests that it tells to run are there', () => {
  const paths = [...page.matchAll(/npm run jest -- ([^`#\n]*)/g)].flatMap(([, args = '']) => args.trim().split(/\s+/));
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !existsSync(path))).toEqual([]);
});

test('every folder of tests has a change for which it is run, or is named by it', () => {
  const rows = tableBelow('CONTRIBUTING.md', '## Which tests for which change').flat().join(' ');
  const notOfOneChange = new Set(['support', 'backend', 'bench', 'cluster', 'demo', 'kube', 'mutants', 'system']);
  const folders = globSync('test/*/').map((folder) => folder.replace(/^test\/|\/$/g, ''));
  expect(folders).toContain('faults');
  expect(folders.filter((folder) => !notOfOneChange.has(folder) && !rows.includes(`test/${folder}`))).toEqual([]);
});

test('the areas of commits are those of docs/areas.md', () => {
  const [, list = ''] = /The area is one of\n([^:]*): those of/.exec(page) ?? [];
  const areas = tableBelow('docs/areas.md', '# Areas').flatMap(([area = '']) => codeIn(area));
  expect(codeIn(list)).toEqual(areas);
});

describe('the words', () => {
  const rows = tableBelow('CONTRIBUTING.md', '## Words');
  const words = rows.map(([word = '']) => word);

  test('stand in alphabetical order, each once, each with its meaning in one line', () => {
    expect(words.length).toBeGreaterThan(50);
    expect(words).toEqual([...new Set(words)].sort((one, other) => one.localeCompare(other, 'en')));
    expect(rows.filter(([, meaning = '']) => meaning.length < 10 || meaning.length > 140)).toEqual([]);
  });

  test('chains among them are those of the source', () => {
    const source = globSync('src/backend/**/*.ts')
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const chains = rows.flatMap(([, meaning = '']) => codeIn(meaning)).filter((code) => code.startsWith('KUBE-'));
    expect(chains.length).toBeGreaterThan(3);
    expect(chains.filter((chain) => !source.includes(chain.replace('…', '')))).toEqual([]);
  });
});
