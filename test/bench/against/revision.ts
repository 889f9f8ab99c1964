/** Another revision of the product, checked out beside the work tree and built by itself. */
import { execa } from 'execa';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Inside, Outside } from '../options.ts';
import { runInGroup } from '../processGroup.ts';

const root = join(import.meta.dirname, '..', '..', '..');

/** Where in the directory of a run it is. */
export function treeIn(directory: string): string {
  return join(directory, 'revision');
}

/** The commit that a name means; undefined where there is none. */
export async function commitOf(name: string): Promise<string | undefined> {
  const asked = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
  const { exitCode, stdout } = await execa('git', asked, { cwd: root, reject: false });
  return exitCode === 0 ? stdout.trim() : undefined;
}

/**
 * Makes a git worktree of the commit and its bundle in `dist`, by its own build. The npm packages are those of the work
 * tree where the lockfile is the same; else its own are installed, which needs the network. Throws when one of these
 * fails, or when the signal fires.
 */
export async function checkOut(commit: string, { directory, progress, signal }: Outside): Promise<void> {
  const tree = treeIn(directory);
  const run = async (cwd: string, ...command: readonly string[]): Promise<void> => {
    const status = await runInGroup(command, { cwd, signal, stdout: 2 });
    signal.throwIfAborted();
    if (status !== 0) throw new Error(`in ${cwd}: ${command.join(' ')} failed`);
  };
  progress(`checking out ${commit.slice(0, 12)}`);
  // No hook of the one who works here is meant for this tree.
  await run(root, 'git', '-c', 'core.hooksPath=/dev/null', 'worktree', 'add', '--quiet', '--detach', tree, commit);
  if (await hasSameLock(tree)) await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  else {
    progress('its package-lock.json is not the one of the work tree: its npm packages are installed');
    await run(tree, process.execPath, join('.ci', 'setup.mjs'));
  }
  progress('building it');
  await run(tree, join(tree, 'node_modules', '.bin', 'node'), join('.ci', 'build.ts'));
}

async function hasSameLock(tree: string): Promise<boolean> {
  const [ours, theirs] = await Promise.all([root, tree].map((each) => readFile(join(each, 'package-lock.json'))));
  return ours !== undefined && theirs?.equals(ours) === true;
}

/** No harm where it was never made, or in part. */
export async function removeCheckout({ directory, progress }: Inside): Promise<void> {
  const tree = treeIn(directory);
  const listed = await execa('git', ['worktree', 'list', '--porcelain'], { cwd: root });
  if (!listed.stdout.split('\n').includes(`worktree ${tree}`)) return;
  const { exitCode, stderr } = await execa('git', ['worktree', 'remove', '--force', tree], {
    cwd: root,
    reject: false,
  });
  if (exitCode !== 0) progress(`git worktree remove --force ${tree} failed: ${stderr}`);
}
