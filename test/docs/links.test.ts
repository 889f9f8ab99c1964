/**
 * What pages name is there: files that they link to or name, places in them, commands.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { anchorsOf, codeIn, linksOf, pages, proseOf } from './pages.ts';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

describe.each(pages)('%s', (page) => {
  test('links to files that are there', () => {
    expect(linksOf(page).filter(({ path }) => !existsSync(path))).toEqual([]);
  });

  test('links to headings that are there', () => {
    const toHeadings = linksOf(page).filter(({ path, anchor }) => anchor !== '' && path.endsWith('.md'));
    expect(
      toHeadings.filter(({ path, anchor }) => existsSync(path) && !anchorsOf(path).has(anchor)).map(({ text }) => text),
    ).toEqual([]);
  });

  test('names files that are there', () => {
    const paths = codeIn(proseOf(page)).filter((code) =>
      /^(?:src|test|docs|config|crds|\.ci|\.github)\/[\w./-]+$/.test(code),
    );
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  test('names scripts that npm can run', () => {
    const named = [...readFileSync(page, 'utf8').matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)];
    expect(named.map(([, script = '']) => script).filter((script) => !(script in scripts))).toEqual([]);
  });
});

test('docs/README.md leads to every page of docs', () => {
  const led = linksOf('docs/README.md').map(({ path }) => path);
  expect(pages.filter((page) => page.startsWith('docs/') && ![...led, 'docs/README.md'].includes(page))).toEqual([]);
});

test('the README leads to the index, and to the pages that a stranger looks for', () => {
  expect(linksOf('README.md').map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      'docs/README.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
      'CHANGELOG.md',
      'docs/reference/api.md',
    ]),
  );
});

describe('this test sees', () => {
  test('all kinds of pages', () => {
    expect(pages).toEqual(
      expect.arrayContaining(['README.md', 'docs/DESIGN.md', 'src/backend/ipvs/README.md', 'test/uml/README.md']),
    );
    expect(pages).toContain('.github/pull_request_template.md');
    expect(pages.filter((page) => page.includes('node_modules'))).toEqual([]);
  });

  test('links, anchors and names in pages', () => {
    expect(linksOf('docs/installing.md').length).toBeGreaterThan(5);
    expect(anchorsOf('docs/troubleshooting.md')).toContain('a-nodeproxys-ready');
    expect(codeIn('`src/main.ts` and `test`')).toEqual(['src/main.ts', 'test']);
  });
});
