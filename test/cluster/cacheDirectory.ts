import { createHash } from 'node:crypto';
import { existsSync, readFileSync, utimesSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/**
 * Where what is costly to make is kept between runs: outside of the work tree, so that `git clean` does not cost
 * minutes.
 */
export function cacheDirectory(...parts: readonly string[]): string {
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(base, 'proxyconfig-operator', ...parts);
}

/** A short name for the content of files and further strings: what is cached under it is never stale, only unused. */
export function contentKey(files: readonly string[], ...further: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file)).update('\0');
  for (const text of further) hash.update(text).update('\0');
  return hash.digest('hex').slice(0, 12);
}

/** Whether the cache has it; notes the use, for those who remove what has not been used for a while. */
export function isCached(path: string): boolean {
  if (!existsSync(path)) return false;
  const now = new Date();
  utimesSync(path, now, now);
  return true;
}

const keepUnusedMs = 3_600_000;

/** Removes what stands beside `keep` and is of earlier inputs, but for the recent: another work tree may want that. */
export async function removeOlder(keep: string, isOlder: (name: string) => boolean): Promise<void> {
  const names = (await readdir(dirname(keep))).filter((name) => isOlder(name) && name !== basename(keep));
  for (const path of names.map((name) => join(dirname(keep), name)))
    if (Date.now() - (await stat(path)).mtimeMs > keepUnusedMs) await rm(path, { recursive: true, force: true });
}
