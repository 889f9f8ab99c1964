/**
 * @module The repository's Markdown, as far as tests ask about it.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Every page that belongs to the repository, by its path. */
export const pages: readonly string[] = globSync(['*.md', '.github/**/*.md', '{docs,config,crds,src,test}/**/*.md'])
  .filter((path) => !path.includes('node_modules'))
  .sort();

/** A page without its blocks of code, in which nothing is a link. */
export function proseOf(page: string): string {
  return readFileSync(page, 'utf8').replaceAll(/^( *)```.*\n[^]*?^\1```$/gm, '');
}

export interface Link {
  /** As it stands in the page. */
  readonly text: string;
  /** Path in the repository. */
  readonly path: string;
  /** Without `#`; empty for the page as a whole. */
  readonly anchor: string;
}

/** Links to files of the repository, and to places in the page itself. */
export function linksOf(page: string): Link[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, text = '']) => text)
    .filter((text) => !/^[a-z]+:/.test(text))
    .map((text) => {
      const [path = '', anchor = ''] = text.split('#');
      return { text, path: path === '' ? page : join(dirname(page), path), anchor };
    });
}

/** What can stand behind `#` of a link to the page, by GitHub's rule for headings. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of proseOf(page).matchAll(/^#+ (.+)$/gm)) {
    const anchor = heading
      .replaceAll(/\]\([^)]*\)/g, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** The cells of each row of the first table below a heading; the heading row is left out. */
export function tableBelow(page: string, heading: string): string[][] {
  const [, section = ''] = `\n${proseOf(page)}`.split(`\n${heading}\n`);
  const lines = section.split(/\n#+ /)[0]?.split('\n') ?? [];
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  return lines.slice(first + 2, rows < 0 ? undefined : first + rows).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** Texts in backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** The blocks of code in a language below a heading, up to the next heading of any level. */
export function codeBelow(page: string, heading: string, language: string): string[] {
  const [, below = ''] = `\n${readFileSync(page, 'utf8')}`.split(`\n${heading}\n`);
  const blocks = [...below.matchAll(/^## .*$|^```(\w+)\n([^]*?)^```$/gm)];
  const next = blocks.findIndex(([text]) => text.startsWith('## '));
  return blocks
    .slice(0, next < 0 ? undefined : next)
    .filter(([, of]) => of === language)
    .map(([, , code = '']) => code);
}
