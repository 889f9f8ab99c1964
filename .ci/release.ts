/**
 * Asks whether a tag may be released, and prints what is new in it: `node .ci/release.ts vX.Y.Z [IMAGE]`.
 *
 * Exit status 1, with the remedy on standard error, when the tag is not package.json's version, when CHANGELOG.md says
 * nothing of it, or when IMAGE is no name of an image. Needs nothing but Node.
 */
import { readFileSync } from 'node:fs';

/** What stands in the repository, for a release to be compared with. */
export interface Repository {
  readonly version: string;
  readonly changelog: string;
}

/** A remedy for a person. */
export class NotReady extends Error {}

/** Semantic Versioning 2.0.0 without build metadata, which a tag of an image cannot hold. */
const tagPattern = /^v(?<version>\d+\.\d+\.\d+(?<prerelease>-[\dA-Za-z.-]+)?)$/;

/**
 * The tag's section of the changelog; for a pre-release, which has none of its own, that of what is unreleased. Throws
 * NotReady.
 */
export function releaseNotes(tag: string, { version, changelog }: Repository): string {
  const parts = tagPattern.exec(tag)?.groups;
  if (parts === undefined) throw new NotReady(`the tag ${tag} must be vX.Y.Z or vX.Y.Z-rc.N`);
  if (parts['version'] !== version)
    throw new NotReady(`the tag ${tag} is not package.json's version ${version}: npm version --no-git-tag-version`);
  const title = parts['prerelease'] === undefined ? version : 'Unreleased';
  const notes = sectionOf(changelog, title);
  if (notes === '') throw new NotReady(`CHANGELOG.md says nothing under "## [${title}]"`);
  return notes;
}

/** What stands between `## [title]` and the next heading of its rank; empty when there is no such heading. */
function sectionOf(changelog: string, title: string): string {
  const section = changelog.split(/^## /m).find((text) => text.startsWith(`[${title}]`)) ?? '';
  return section.slice(section.indexOf('\n') + 1).trim();
}

/** A registry's host with or without a port, then a path in lower case (`name` of the OCI distribution spec). */
const imagePattern = /^[a-z\d](?:[a-z\d.-]*[a-z\d])?(?::\d+)?(?:\/[a-z\d]+(?:(?:\.|_{1,2}|-+)[a-z\d]+)*)+$/;

/** Throws NotReady for what cannot be the name of an image, e.g. because a variable of the repository is not set. */
export function checkImage(image: string): void {
  if (imagePattern.test(image)) return;
  throw new NotReady(
    `"${image}" is no name of an image: set the repository's variables IMAGE_REGISTRY (e.g. registry.example.org) and IMAGE_REPOSITORY (e.g. team/proxyconfig-operator, in lower case)`,
  );
}

function read(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
}

function main([tag = '', image]: readonly string[]): void {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  try {
    if (image !== undefined) checkImage(image);
    console.log(releaseNotes(tag, { version, changelog: read('CHANGELOG.md') }));
  } catch (error) {
    if (!(error instanceof NotReady)) throw error;
    console.error(`release: ${error.message}`);
    process.exitCode = 1;
  }
}

if (import.meta.main) main(process.argv.slice(2));
