/** docs/performance.md and its pictures are made of docs/performance.json, and of nothing else. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { partsOf, readMeasured } from './measured.ts';
import { readPart } from './page.ts';
import { labelOf, titleOf } from './results.ts';

const measured = await readMeasured();
const page = readFileSync('docs/performance.md', 'utf8');

describe.each(partsOf(measured))('the part $name', ({ name, markdown, picture }) => {
  test('is what npm run bench -- --page writes', async () => {
    expect(await readPart(name)).toBe(markdown.trim());
  });

  test('has its picture, byte for byte, and says in words what is in it', () => {
    expect(readFileSync(`docs/${picture?.name}`, 'utf8')).toBe(picture?.content);
    const alternative = [...markdown.matchAll(/!\[([^\]]*)\]\(([^)]*)\)/g)].find(
      ([, , file]) => file === picture?.name,
    )?.[1];
    expect(alternative?.length).toBeGreaterThan(40);
  });

  test('has a picture that says what is better, and no bars', () => {
    expect(picture?.content).toMatch(/<title[^>]*>[^<]*less is better<\/title>/);
    expect(picture?.content).not.toMatch(/<rect x="\d/);
  });
});

test('the picture of ratios has every size but that of one Service', () => {
  const svg = readFileSync('docs/performance.svg', 'utf8');
  const sections = measured.sections ?? [];
  expect(sections.length).toBeGreaterThan(0);
  for (const section of sections) {
    expect(svg.includes(`>${labelOf(section)}<`)).toBe(section.services > 1);
    expect(page).toContain(`## ${titleOf(section)}`);
  }
});

test('the picture of changes has every number of nodes', () => {
  const svg = readFileSync('docs/performance-fan-out.svg', 'utf8');
  expect(measured.fanOut?.rows.length).toBeGreaterThan(0);
  for (const { nodes } of measured.fanOut?.rows ?? []) expect(svg).toContain(`>${nodes.toLocaleString('en')} nodes<`);
});
