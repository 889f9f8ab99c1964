/**
 * docs/performance.md: parts that are measured apart, of which a run writes its own and leaves the others as they were.
 */
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

export type PartName = 'proxies' | 'nftables' | 'ipvs' | 'fan-out' | 'profile';

export interface Picture {
  readonly name: string;
  readonly content: string;
}

/** What a run writes. */
export interface Part {
  readonly name: PartName;
  readonly markdown: string;
  readonly picture?: Picture;
}

const order: readonly PartName[] = ['proxies', 'nftables', 'ipvs', 'fan-out', 'profile'];
const docs = join(import.meta.dirname, '..', '..', 'docs');
const file = join(docs, 'performance.md');

export async function writePart(name: PartName, markdown: string, picture?: Picture): Promise<void> {
  const before = await readFile(file, 'utf8');
  const parts = order.flatMap((each) => {
    const text = each === name ? markdown.trim() : partOf(before, each);
    return text === undefined ? [] : [`${begin(each)}\n\n${text}\n\n${end(each)}`];
  });
  if (picture !== undefined) await writeFile(join(docs, picture.name), picture.content);
  await writeFile(file, `# Performance\n\n${parts.join('\n\n')}\n`);
}

/** A run may be held to some of the CPUs, to leave others to another. */
export function machine(): string {
  const [all, had] = [cpus().length, availableParallelism()];
  return `${all} CPUs${had < all ? `, of which this run had ${had},` : ''} and ${Math.round(totalmem() / 2 ** 30)} GiB of memory under Linux ${release().split('-')[0]}`;
}

/** The commit that is checked out, `-dirty` with changes that are not committed. */
export function workTreeCommit(): string {
  const args = ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'];
  return execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
}

export function iptablesVersion(): string {
  return versionOf('/usr/sbin/iptables-nft').replace(' (nf_tables)', '');
}

export function kubeProxyVersion(program: string): string {
  return versionOf(program).replace('Kubernetes', 'kube-proxy');
}

export function nftVersion(): string {
  return versionOf('/usr/sbin/nft')
    .replace('nftables', 'nft')
    .replace(/ \(.*\)$/, '');
}

/** What a program says of its version, one line. */
export function versionOf(program: string): string {
  return execFileSync(program, ['--version'], { encoding: 'utf8' }).trim().split('\n')[0] ?? '';
}

/** What stands on the page. */
export async function readPart(name: PartName): Promise<string | undefined> {
  return partOf(await readFile(file, 'utf8'), name);
}

function partOf(page: string, name: PartName): string | undefined {
  return page.split(begin(name))[1]?.split(end(name))[0]?.trim();
}

const begin = (name: PartName): string => `<!-- measured: ${name} -->`;
const end = (name: PartName): string => `<!-- end of ${name} -->`;
