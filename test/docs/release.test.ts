/**
 * What a release needs: the check of a tag, the form of CHANGELOG.md, and one version wherever one is named.
 */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { checkImage, NotReady, releaseNotes } from '../../.ci/release.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

const changelog = `# Changelog

## [Unreleased]

### Added

- Something to come.

## [1.2.0] - 2026-03-01

### Fixed

- A fault.

## [1.1.0] - 2026-02-01
`;

describe('notes of a release', () => {
  test('are its section of the changelog', () => {
    expect(releaseNotes('v1.2.0', { version: '1.2.0', changelog })).toBe('### Fixed\n\n- A fault.');
  });

  test('of a pre-release are what is unreleased', () => {
    expect(releaseNotes('v1.3.0-rc.1', { version: '1.3.0-rc.1', changelog })).toBe('### Added\n\n- Something to come.');
  });

  test.each([
    { name: 'a tag of another form', tag: '1.2.0', says: 'must be vX.Y.Z' },
    { name: 'build metadata, which no tag of an image can hold', tag: 'v1.2.0+1', says: 'must be vX.Y.Z' },
    { name: 'another version than package.json', tag: 'v1.1.9', says: "not package.json's version 1.2.0" },
    { name: 'no section', tag: 'v1.3.0', version: '1.3.0', says: 'says nothing under "## [1.3.0]"' },
    { name: 'an empty section', tag: 'v1.1.0', version: '1.1.0', says: 'says nothing under "## [1.1.0]"' },
  ])('are refused for $name', ({ tag, version: present = '1.2.0', says }) => {
    const notes = (): string => releaseNotes(tag, { version: present, changelog });
    expect(notes).toThrow(NotReady);
    expect(notes).toThrow(says);
  });
});

describe('the name of an image', () => {
  test.each(['registry.example.org/proxyconfig-operator', 'localhost:5000/team/sub/image_1', 'ghcr.io/a-b/c.d'])(
    '%s is taken',
    (image) => {
      expect(() => checkImage(image)).not.toThrow();
    },
  );

  test.each([
    '/',
    'ghcr.io/',
    '/team/image',
    'ghcr.io/Team/image',
    'image',
    'ghcr.io/team/image:tag',
    'ghcr.io/team//image',
    'a b/c',
  ])('%s is refused, with the variables to set', (image) => {
    expect(() => checkImage(image)).toThrow(/IMAGE_REGISTRY .*IMAGE_REPOSITORY/);
  });
});

function release(...args: string[]): ReturnType<typeof execa> {
  return execa(process.execPath, ['.ci/release.ts', ...args], { reject: false });
}

describe('node .ci/release.ts', () => {
  test("prints the notes of this tree's version, or says that there are none yet", async () => {
    const isNoted = version.includes('-') || readFileSync('CHANGELOG.md', 'utf8').includes(`\n## [${version}]`);
    const { exitCode, stdout, stderr } = await release(`v${version}`);
    expect(exitCode).toBe(isNoted ? 0 : 1);
    expect(isNoted ? stdout : stderr).toMatch(isNoted ? /^- /m : /^release: CHANGELOG\.md says nothing under/);
  });

  test('names the variables before anything else', async () => {
    const { exitCode, stderr } = await release(`v${version}`, '/');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^release: "\/" is no name of an image: set/);
  });
});

/** https://keepachangelog.com/en/1.1.0/ */
describe('CHANGELOG.md', () => {
  const sections = readFileSync('CHANGELOG.md', 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((text) => ({ title: text.split('\n')[0] ?? '', body: text }));

  test('begins with what is unreleased, then versions, the newest first, with their dates', () => {
    const [first, ...releases] = sections.map(({ title }) => title);
    expect(first).toBe('[Unreleased]');
    const dates = releases.map((title) => /^\[\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2})(?: \[YANKED\])?$/.exec(title)?.[1]);
    expect(dates).not.toContain(undefined);
    expect(dates).toEqual(dates.toSorted((one = '', other = '') => other.localeCompare(one)));
  });

  test('sorts changes by their six kinds', () => {
    const kinds = new Set(['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']);
    const found = sections.flatMap(({ body }) => [...body.matchAll(/^### (.*)$/gm)].map(([, kind = '']) => kind));
    expect(found).toContain('Added');
    expect(found.filter((kind) => !kinds.has(kind))).toEqual([]);
  });
});

test('pages and samples that name a version name this one', () => {
  const named = globSync(['README.md', 'docs/**/*.md', 'config/**/*.{md,yaml}', 'kustomization.yaml']).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/(?:newTag: |proxyconfig-operator:)(\d+\.\d+\.\d+[\w.-]*)/g)].map(
      ([, found = '']) => ({ file, version: found }),
    ),
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((place) => place.version !== version)).toEqual([]);
});
