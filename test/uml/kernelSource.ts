import { execa } from 'execa';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sourcePackage, sourceVersion } from './kernelFiles.ts';

export interface KernelSource {
  /** Its top folder. */
  readonly directory: string;
  /** That of the Debian package. */
  readonly version: string;
}

interface Fetching {
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks the kernel's source below `directory`. Debian's security archive keeps only the newest version: where it no
 * longer has the one that is asked for, the one that apt offers is taken, which is of the same release line by the
 * package's name, and `progress` is told. Throws where apt has none.
 */
export async function fetchKernelSource(directory: string, { progress, signal }: Fetching): Promise<KernelSource> {
  const options = { cwd: directory, ...(signal && { cancelSignal: signal }) };
  // Only root may read the lists anew; a list that could not be read is not yet a reason to give up.
  if (process.getuid?.() === 0) await execa('apt-get', ['update', '-q'], { ...options, reject: false });
  const archive = await download(options, progress);
  const { stdout: version } = await execa('dpkg-deb', ['--field', archive, 'Version'], options);
  progress(`unpacking ${sourcePackage} ${version}`);
  await execa('dpkg-deb', ['--extract', archive, '.'], options);
  await execa('tar', ['--extract', '--file', `usr/src/${sourcePackage}.tar.xz`], options);
  return { directory: join(directory, sourcePackage), version };
}

/** The name of the file. */
async function download(
  options: { readonly cwd: string; readonly cancelSignal?: AbortSignal },
  progress: (line: string) => void,
): Promise<string> {
  progress(`fetching the Debian package ${sourcePackage} ${sourceVersion}`);
  const wanted = await execa('apt-get', ['download', '-q', `${sourcePackage}=${sourceVersion}`], {
    ...options,
    reject: false,
  });
  if (wanted.failed) {
    progress(`the archive does not have that version: taking the one that it offers`);
    await execa('apt-get', ['download', '-q', sourcePackage], options);
  }
  const archive = (await readdir(options.cwd)).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Error(`apt-get download ${sourcePackage} left no file`);
  return archive;
}
