/**
 * Images for the cluster, built on this machine without a registry, as archives that a node's containerd imports.
 * Archives are cached by a hash of all that goes into them; a rebuild reuses the layers that have not changed.
 * @module
 */
import { execa } from 'execa';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { baseImage } from './baseImage.ts';
import { ensureBinaries } from './binaries.ts';
import { buildah } from './buildah.ts';
import { cacheDirectory, contentKey, isCached, removeOlder } from './cacheDirectory.ts';
import { imageTags } from './imageTags.ts';
import { withLock } from './lock.ts';
import { pauseProgram } from './native.ts';

export { baseImage, baseImageTag } from './baseImage.ts';
export { imageTags } from './imageTags.ts';

type Progress = (line: string) => void;

export interface BuildImageOptions {
  /** Full name, as in `docker.io/library/name:tag`: containerd looks a short one up under that. */
  readonly tag: string;
  readonly context: string;
  /** Path of the Dockerfile. */
  readonly dockerfile: string;
  /** Paths below the context that the Dockerfile copies, when that is not all of the context. */
  readonly inputs?: readonly string[] | undefined;
  /** Values for the Dockerfile's ARG lines. */
  readonly buildArguments?: Readonly<Record<string, string>> | undefined;
  /** The stage to build, when that is not the last one. */
  readonly target?: string;
  readonly progress?: Progress | undefined;
}

/** Builds an image from a Dockerfile; answers the path of an archive to load. */
export async function buildImage(options: BuildImageOptions): Promise<string> {
  const files = await filesBelow(options.context, options.inputs ?? ['.']);
  const settings = [options.tag, ...flagsOf(options)];
  const key = contentKey(
    [options.dockerfile, ...files],
    ...settings,
    ...files.map((file) => file.slice(options.context.length)),
  );
  const name = options.tag.replace(/^.*\//, '').replace(/:.*$/, '');
  const archive = cacheDirectory('images', 'archives', `${name}-${key}.tar`);
  if (isCached(archive)) return archive;
  return withLock(cacheDirectory('images', 'lock'), async () => {
    if (!isCached(archive)) await build(options, archive);
    await removeOlder(archive, (other) => other.replace(/-[^-]*$/, '') === name);
    return archive;
  });
}

function flagsOf({ buildArguments = {}, target }: BuildImageOptions): string[] {
  const stage = target === undefined ? [] : ['--target', target];
  return [...stage, ...Object.entries(buildArguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`])];
}

async function build(options: BuildImageOptions, archive: string): Promise<void> {
  const { tag, context, dockerfile, progress } = options;
  await baseImage(progress);
  progress?.(`building the image ${tag}`);
  const onLine = (line: string): void => {
    if (line.startsWith('STEP')) progress?.(`  ${line}`);
  };
  const isolation = ['--pull-never', '--isolation', 'chroot', '--network', 'host'];
  await buildah(
    ['bud', '--layers', ...isolation, ...flagsOf(options), '--tag', tag, '--file', dockerfile, context],
    onLine,
  );
  await mkdir(dirname(archive), { recursive: true });
  await rm(`${archive}.unfinished`, { force: true });
  await buildah(['push', tag, `docker-archive:${archive}.unfinished:${tag}`]);
  await rename(`${archive}.unfinished`, archive);
}

/** What pods of the tests run: Redis, nginx and a client full of tools. */
export async function testImages(progress?: Progress): Promise<string[]> {
  return Promise.all((['redis', 'nginx', 'client'] as const).map((name) => folderImage(name, progress)));
}

/** What the cluster itself runs in pods. */
export async function systemImages(progress?: Progress): Promise<string[]> {
  const { coredns } = await ensureBinaries({ which: ['coredns'], progress });
  return Promise.all([
    programImage('coredns', coredns, progress),
    programImage('pause', await pauseProgram(), progress),
  ]);
}

/** The product's own image from the working tree. */
export async function productImage(progress?: Progress): Promise<string> {
  const context = join(import.meta.dirname, '..', '..');
  progress?.('npm run build');
  await execa('npm', ['run', 'build'], { cwd: context, stdin: 'ignore' });
  const inputs = ['dist', 'package-lock.json'];
  const buildArguments = { NODE_ARCH: process.arch };
  return buildImage({
    tag: imageTags.product,
    context,
    dockerfile: join(context, 'Dockerfile'),
    inputs,
    buildArguments,
    progress,
  });
}

/** The product's image without the product, and what tests run beside its tools. */
export async function toolsImage(progress?: Progress): Promise<string> {
  const context = join(import.meta.dirname, '..', '..');
  const dockerfile = join(context, 'Dockerfile');
  const tools = { tag: imageTags.tools, context, dockerfile, inputs: [], target: 'tools', progress };
  const base = await buildImage(tools);
  // The name of the archive tells its content.
  return folderImage('testTools', progress, { BASE: basename(base) });
}

async function folderImage(
  name: 'redis' | 'nginx' | 'client' | 'testTools',
  progress?: Progress,
  buildArguments?: Readonly<Record<string, string>>,
): Promise<string> {
  const context = join(import.meta.dirname, 'images', name);
  return buildImage({
    tag: imageTags[name],
    context,
    dockerfile: join(context, 'Dockerfile'),
    buildArguments,
    progress,
  });
}

/** An image that holds one static program and nothing else. */
async function programImage(name: 'coredns' | 'pause', program: string, progress?: Progress): Promise<string> {
  const dockerfile = join(import.meta.dirname, 'images', name, 'Dockerfile');
  return buildImage({ tag: imageTags[name], context: dirname(program), dockerfile, inputs: [name], progress });
}

async function filesBelow(context: string, inputs: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(inputs.map((input) => filesOf(join(context, input))));
  return lists.flat().sort();
}

async function filesOf(path: string): Promise<string[]> {
  if ((await stat(path)).isFile()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
