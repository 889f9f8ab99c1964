import { join } from 'node:path';
import { isExecutable } from '../cluster/binaries.ts';
import { cacheDirectory, contentKey } from '../cluster/cacheDirectory.ts';

/** Debian's package of the kernel's source, from its security archive. */
export const sourcePackage = 'linux-source-6.12';
/** The version that is asked for: what this project's tests were last seen to pass with. */
export const sourceVersion = '6.12.117-1~deb12u1';

/** What the kernel has beside the defaults of User Mode Linux. */
export const fragment = join(import.meta.dirname, 'kernel.config');

export interface BuildOptions {
  readonly progress: (line: string) => void;
  /** Ends the build; what it has unpacked is removed. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The folder where the kernel is, or will be when it is built: the program `linux`, and its modules in `lib/modules`.
 * Another configuration, source or way of building has another folder.
 */
export function kernelDirectory(): string {
  const files = ['kernel.config', 'kernelBuild.ts', 'kernelConfiguration.ts', 'kernelFiles.ts', 'kernelSource.ts'];
  return cacheDirectory('kernel', contentKey(files.map((name) => join(import.meta.dirname, name))));
}

export function isBuilt(directory: string): boolean {
  return isExecutable(join(directory, 'linux'));
}
