import { execa } from 'execa';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildah, hasImage } from './buildah.ts';
import { cacheDirectory } from './cacheDirectory.ts';
import { withLock } from './lock.ts';

export const baseImageTag = 'docker.io/library/debian:trixie-slim';

/** What the slim image leaves out, besides the packages that debootstrap does not install. */
const leftOut = [
  'var/cache/apt',
  'var/lib/apt/lists',
  'var/log',
  'usr/share/doc',
  'usr/share/man',
  'usr/share/info',
  'usr/share/locale',
];

/**
 * Makes Debian's slim image from Debian's own packages, once: an unchanged Dockerfile then builds without a registry.
 */
export async function baseImage(progress: (line: string) => void = () => {}): Promise<string> {
  if (await hasImage(baseImageTag)) return baseImageTag;
  return withLock(cacheDirectory('images', 'base.lock'), async () => {
    if (await hasImage(baseImageTag)) return baseImageTag;
    progress(`making ${baseImageTag} with debootstrap (half a minute)`);
    await mkdir(cacheDirectory('images'), { recursive: true });
    const root = await mkdtemp(cacheDirectory('images', 'debootstrap-'));
    try {
      await makeRoot(root);
      await commit(root);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
    return baseImageTag;
  });
}

async function makeRoot(root: string): Promise<void> {
  await chmod(root, 0o755);
  await execa('unshare', ['--mount', 'debootstrap', '--variant=minbase', 'trixie', root], { stdin: 'ignore' });
  await Promise.all(leftOut.map((path) => rm(join(root, path), { recursive: true, force: true })));
  await Promise.all(
    ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial', 'var/log'].map((path) =>
      mkdir(join(root, path), { recursive: true }),
    ),
  );
  // Packages must not start their daemons while an image is built.
  await writeFile(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
}

async function commit(root: string): Promise<void> {
  const container = await buildah(['from', 'scratch']);
  try {
    await buildah(['add', container, root, '/']);
    await buildah(['config', '--cmd', 'bash', container]);
    await buildah(['commit', container, baseImageTag]);
  } finally {
    await buildah(['rm', container]);
  }
}
