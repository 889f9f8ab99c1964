import { execa } from 'execa';
import { createInterface } from 'node:readline';
import { cacheDirectory } from './cacheDirectory.ts';

/**
 * Runs buildah with a store of its own, so that the machine's images are neither used nor changed. In a mount
 * namespace: the overlay driver leaves its store mounted, and a build that is killed leaves more.
 */
export async function buildah(args: readonly string[], onLine?: (line: string) => void): Promise<string> {
  const store = ['--root', cacheDirectory('images', 'store'), '--runroot', cacheDirectory('images', 'run')];
  const driver = ['--storage-driver', process.env['STORAGE_DRIVER'] ?? 'overlay'];
  const command = execa('unshare', ['--mount', 'buildah', ...store, ...driver, ...args], {
    stdin: 'ignore',
    all: true,
  });
  if (onLine) createInterface({ input: command.all }).on('line', onLine);
  return (await command).stdout;
}

export async function hasImage(tag: string): Promise<boolean> {
  return buildah(['inspect', '--type', 'image', '--format', '{{.FromImageID}}', tag]).then(
    () => true,
    () => false,
  );
}
