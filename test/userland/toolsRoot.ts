/**
 * @module The image's tools on this machine: its files as the root of whatever is run there, with this repository and
 * the kernel's file systems where they are here. Nothing of it is left when the program has ended.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { cacheDirectory, contentKey, isCached, removeOlder } from '../cluster/cacheDirectory.ts';
import { toolsImage } from '../cluster/images.ts';
import { withLock } from '../cluster/lock.ts';
import { unpackImage } from '../cluster/unpackedImage.ts';

export const repository = resolve(import.meta.dirname, '..', '..');

/** The image's files, from the cache, or built and unpacked. */
export async function toolsRoot(progress?: (line: string) => void): Promise<string> {
  const archive = await toolsImage(progress);
  const root = cacheDirectory('images', `tools-${contentKey([], archive)}`);
  if (isCached(root)) return root;
  return withLock(cacheDirectory('images', 'tools.lock'), async () => {
    if (isCached(root)) return root;
    progress?.("unpacking the image's tools");
    const unfinished = `${root}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await unpackImage(archive, unfinished);
    for (const path of shared) await mkdir(`${unfinished}${path}`, { recursive: true });
    await rename(unfinished, root);
    await removeOlder(root, (name) => name.startsWith('tools-') && name !== 'tools.lock');
    return root;
  });
}

const kernelFileSystems = ['/proc', '/sys', '/dev', '/run'];
/** What tests read and write. */
const shared = [tmpdir(), cacheDirectory()];

/** A new root, not a chroot: in one of these nobody can make mount namespaces. The old one is gone. */
const enterRoot = `
  root=$1 repository=$2; shift 2
  mount --bind "$root" "$root"
  for path in ${kernelFileSystems.join(' ')}; do mount --rbind $path "$root$path"; done
  for path in ${shared.join(' ')}; do mount --bind "$path" "$root$path"; done
  [ -d "$root$repository" ] || mkdir -p "$root$repository"
  mount --bind "$repository" "$root$repository"
  cd "$root"; pivot_root . .; umount -l .
  cd "$repository"; exec "$@"`;

/** A command line that runs what follows it with the image's files, and the network of whoever runs it. */
export function inRoot(root: string): readonly string[] {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', enterRoot, 'sh', root, repository];
}

/** What of this process's environment decides which programs are tested, and how. */
const handedOn = ['FULL', 'CI', 'KUBERNETES', 'XDG_CACHE_HOME', 'TMPDIR'];

/** Of programs that run there. */
export const environment = {
  ...Object.fromEntries(
    handedOn.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  ),
  HOME: homedir(),
  PATH: `${repository}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
};
