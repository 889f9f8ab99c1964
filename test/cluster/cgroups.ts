/**
 * A node's pods live below a control group of the node's own, in whichever hierarchies the machine has (v1, v2, both).
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../support/waitFor.ts';

/** Makes `group` (a relative path) in every hierarchy, ready for processes and for groups below. */
export async function createControlGroup(group: string): Promise<void> {
  for (const hierarchy of hierarchies()) {
    const parts = group.split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const parent = join(hierarchy, ...parts.slice(0, depth - 1));
      const directory = join(hierarchy, ...parts.slice(0, depth));
      await mkdir(directory, { recursive: true });
      await inherit(parent, directory);
    }
  }
}

/**
 * A v1 cpuset starts empty and takes no process until it is filled; v2 hands down only the controllers it is told to.
 */
async function inherit(parent: string, directory: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (existsSync(join(directory, 'cgroup.controllers')) || !existsSync(join(directory, file))) continue;
    await copyFile(join(parent, file), join(directory, file));
  }
  if (!existsSync(join(directory, 'cgroup.subtree_control'))) return;
  const controllers = (await readFile(join(directory, 'cgroup.controllers'), 'utf8')).split(/\s+/).filter(Boolean);
  if (controllers.length > 0) {
    await writeFile(join(directory, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
  }
}

/** Removes `group` and all below it; processes that have just been killed may keep it for a moment. */
export async function removeControlGroup(group: string): Promise<void> {
  const directories = hierarchies().map((hierarchy) => join(hierarchy, group));
  await Promise.all(directories.map((directory) => removeWhenEmpty(directory)));
}

async function removeWhenEmpty(directory: string): Promise<void> {
  const isRemoved = async (): Promise<boolean> => {
    await removeTree(directory);
    return !existsSync(directory);
  };
  await waitFor(`control group ${directory} is empty`, isRemoved, { timeoutMs: 20_000, everyMs: 50 });
}

async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) await removeTree(join(directory, entry.name));
  }
  // Busy and absent are both no error here: the caller looks whether it is gone.
  await rmdir(directory).catch(() => {});
}

/** Mount points of the machine's hierarchies. */
function hierarchies(): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const found = mounts.filter(
    ([, path, type]) => (type === 'cgroup' || type === 'cgroup2') && path?.startsWith('/sys/fs/cgroup'),
  );
  return [...new Set(found.flatMap(([, path]) => (path === undefined ? [] : [path])))];
}
