/**
 * @module Programs of Debian packages that are unpacked, not installed: installing prometheus would start a server.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory } from '../cluster/cacheDirectory.ts';
import { withLock } from '../cluster/lock.ts';

/** promtool, from the cache or from Debian. Throws what apt-get says. */
export async function promtoolPath(): Promise<string> {
  return join(await unpacked('prometheus'), 'usr/bin/promtool');
}

async function unpacked(name: string): Promise<string> {
  const folder = cacheDirectory('debian', name);
  await mkdir(cacheDirectory('debian'), { recursive: true });
  await withLock(cacheDirectory('debian', 'lock'), async () => {
    if (existsSync(folder)) return;
    const work = await mkdtemp(`${folder}.unpacking-`);
    try {
      await download(name, work);
      const file = (await readdir(work)).find((entry) => entry.endsWith('.deb'));
      await execa('dpkg-deb', ['-x', join(work, file ?? ''), join(work, 'root')]);
      await rename(join(work, 'root'), folder);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  return folder;
}

/** The lists of a fresh machine are empty, and those of an old one name versions that are gone. */
async function download(name: string, cwd: string): Promise<void> {
  const { exitCode } = await execa('apt-get', ['download', '-q', name], { cwd, reject: false });
  if (exitCode === 0) return;
  await execa('apt-get', ['update', '-q']);
  await execa('apt-get', ['download', '-q', name], { cwd });
}
