/**
 * The images of every node, imported and unpacked once. A node's containerd starts with a copy whose image data are
 * hard links: that takes a moment and no space, where an import takes seconds of all cores on each node.
 * @module
 */
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { cacheDirectory, contentKey, isCached, removeOlder } from './cacheDirectory.ts';
import { startDaemon } from './daemon.ts';
import { withLock } from './lock.ts';
import { daemonWait } from './namespaces.ts';
import { importerConfiguration } from './nodeConfiguration.ts';
import { waitFor } from '../support/waitFor.ts';

export interface ImageStoreOptions {
  readonly binaries: Pick<Binaries, 'containerd' | 'ctr'>;
  readonly archives: readonly string[];
  /** A store whose images are to be in this one, too. */
  readonly base?: string | undefined;
  readonly progress: (line: string) => void;
}

/** What containerd never writes to again: the kernel copies a file of an image before it changes it. */
const immutable = ['io.containerd.content.v1.content/blobs', 'io.containerd.snapshotter.v1.overlayfs/snapshots'];

/** A data directory of containerd that holds the images of the archives. */
export async function imageStore(options: ImageStoreOptions): Promise<string> {
  // The archives' names tell their content.
  const store = cacheDirectory(
    'images',
    `containerd-${contentKey([], options.base ?? '', ...options.archives.toSorted())}`,
  );
  if (isCached(store)) return store;
  return withLock(cacheDirectory('images', 'containerd.lock'), async () => {
    if (isCached(store)) return store;
    options.progress('unpacking the images');
    const unfinished = `${store}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    if (options.base === undefined) await mkdir(unfinished, { recursive: true });
    else await cloneImageStore(options.base, unfinished);
    await importArchives(options, unfinished);
    await rename(unfinished, store);
    // A cluster that has been cloned from an older one keeps its links.
    await removeOlder(store, (name) => name.startsWith('containerd-'));
    return store;
  });
}

/** Copies a store to a directory of the same file system. */
export async function cloneImageStore(store: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const entry of await readdir(store)) {
    const shared = immutable.find((path) => path.startsWith(`${entry}/`));
    if (shared === undefined) await execa('cp', ['-a', join(store, entry), target]);
    else await cloneSharing(store, target, shared);
  }
}

/** Links `shared`, a folder two levels down, and copies what stands beside it. */
async function cloneSharing(store: string, target: string, shared: string): Promise<void> {
  const [parent = '', folder = ''] = shared.split('/');
  await mkdir(join(target, parent), { recursive: true });
  for (const entry of await readdir(join(store, parent))) {
    const links = entry === folder ? ['--link'] : [];
    await execa('cp', ['-a', ...links, join(store, parent, entry), join(target, parent)]);
  }
}

/** With a containerd that runs for that only, in namespaces of its own: no mount and no process of it remains. */
async function importArchives({ binaries, archives }: ImageStoreOptions, store: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-import-'));
  const socket = join(directory, 'containerd.sock');
  const configuration = join(directory, 'containerd.toml');
  await writeFile(configuration, importerConfiguration({ root: store, state: join(directory, 'state'), socket }));
  const command = [
    'unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    binaries.containerd,
    '--config',
    configuration,
  ];
  const containerd = await startDaemon({
    name: 'containerd',
    command,
    log: join(directory, 'log'),
    diesWithParent: true,
  });
  try {
    await waitFor('containerd serves', () => Promise.resolve(existsSync(socket)), daemonWait(containerd));
    for (const archive of archives) await importArchive([binaries.ctr, '--address', socket], archive);
  } finally {
    await containerd.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Passes the archive as standard input: whoever imports it may not see its path. */
export async function importArchive(ctr: readonly string[], archive: string): Promise<void> {
  const [file = '', ...args] = ctr;
  await execa(file, [...args, '--namespace', 'k8s.io', 'images', 'import', '-'], { inputFile: archive });
}
