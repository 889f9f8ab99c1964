/**
 * docs/DESIGN.md against the tree: each folder of src has its row, and what its tables name is there.
 */
import { existsSync, globSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { codeIn, tableBelow } from './pages.ts';

const page = 'docs/DESIGN.md';

/** Two levels of src, and of each mode the third. */
const folders = globSync(['src/*', 'src/*/*', 'src/backend/*/*'])
  .filter((path) => statSync(path).isDirectory())
  .sort();

describe('the table of folders', () => {
  const rows = tableBelow(page, '## Layers');
  const named = rows.flatMap(([folder = '']) => codeIn(folder));

  test('has each folder of src once, and no other', () => {
    expect(named.toSorted()).toEqual(folders);
  });

  test('says of each what is in it, and what it imports', () => {
    expect(rows.filter((cells) => cells.length !== 3 || cells.includes(''))).toEqual([]);
  });

  test('names layers that are there', () => {
    const layers = rows.flatMap(([, , imports = '']) => codeIn(imports));
    expect(layers.length).toBeGreaterThan(20);
    expect(layers.filter((layer) => !existsSync(`src/${layer}`))).toEqual([]);
  });

  test('is asked about all levels', () => {
    expect(folders).toEqual(expect.arrayContaining(['src/model', 'src/agent/watch', 'src/backend/ipvs/plan']));
  });
});

describe('the table of stages', () => {
  const rows = tableBelow(page, '## One way down');
  const places = rows.flatMap(([, where = '']) => codeIn(where));

  test('says of each stage where it is and what it makes of what', () => {
    expect(rows.length).toBeGreaterThan(10);
    expect(
      rows.filter(([stage = '', where = '', makes = '']) => !stage || codeIn(where).length === 0 || !makes),
    ).toEqual([]);
  });

  test('names folders, and files in folders, that have a row', () => {
    expect(places.filter((place) => !existsSync(place))).toEqual([]);
    expect(places.filter((place) => !folders.includes(statSync(place).isDirectory() ? place : dirname(place)))).toEqual(
      [],
    );
  });

  test('has the planning, the applying and the leaving of each mode', () => {
    const ofModes = folders.filter((folder) => /^src\/backend\/\w+\/(?:plan|apply|leave)$/.test(folder));
    expect(ofModes.length).toBeGreaterThan(5);
    expect(places).toEqual(expect.arrayContaining(ofModes));
  });
});
