/**
 * Circles of imports are found whatever form the imports have: each row is a tree of files with one.
 */
import { describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { circlesIn } from '../.ci/circles.ts';

async function circlesOf(files: Readonly<Record<string, string>>): Promise<string[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'circles-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return circlesIn(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const use = "import { b } from './b.ts';\nexport const a = b;\n";

describe('circlesIn', () => {
  test.each([
    { form: 'values', back: "import { a } from './a.ts';\nexport const b = () => a;\n" },
    { form: 'types', back: "import type { A } from './a.ts';\nexport const b = (value: A) => value;\n" },
    { form: 'a type among values', back: "import { type A } from './a.ts';\nexport const b = (value: A) => value;\n" },
    { form: 'an export of what another file has', back: "export { a } from './a.ts';\nexport const b = 1;\n" },
    { form: 'an export of all that another file has', back: "export * from './a.ts';\nexport const b = 1;\n" },
    { form: 'a type in the place where it is used', back: "export const b = (value: import('./a.ts').A) => value;\n" },
    { form: 'a module that is loaded later', back: "export const b = () => import('./a.ts');\n" },
  ])('finds a circle that is closed by $form', async ({ back }) => {
    expect(await circlesOf({ 'a.ts': use, 'b.ts': back })).toEqual([['a.ts', 'b.ts']]);
  });

  test('finds a circle over three files, and names each circle once', async () => {
    const files = {
      'a.ts': "import './b.ts';\n",
      'b.ts': "import './c.ts';\n",
      'c.ts': "import './a.ts';\n",
      'd.ts': "import './e.ts';\nimport './a.ts';\n",
      'e.ts': "import './d.ts';\n",
    };
    const circles = await circlesOf(files);
    expect(circles.toSorted((one, other) => (one.join() < other.join() ? -1 : 1))).toEqual([
      ['a.ts', 'b.ts', 'c.ts'],
      ['d.ts', 'e.ts'],
    ]);
  });

  test('finds none where files only share what they import', async () => {
    expect(await circlesOf({ 'a.ts': use, 'c.ts': use, 'b.ts': 'export const b = 1;\n' })).toEqual([]);
  });

  test('throws where a file cannot be parsed', async () => {
    await expect(circlesOf({ 'a.ts': 'export const = 1;\n' })).rejects.toThrow('a.ts');
  });
});
