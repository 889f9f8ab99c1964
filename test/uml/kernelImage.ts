/**
 * @module The kernel under test: User Mode Linux and its modules, built once from Debian's source with `kernel.config`,
 * and kept in the cache. As a program, `node kernelImage.ts [--check]` builds it, or says whether it is there.
 *
 * Only Node's own modules are imported here: `--check` runs before every test command and must cost nothing.
 */
import { type BuildOptions, isBuilt, kernelDirectory } from './kernelFiles.ts';

/** Why there is no kernel under test on this machine, or undefined where it is built. */
export function kernelObstacle(): string | undefined {
  if (process.arch !== 'x64') return `the kernel under test is one for x86-64, not for ${process.arch}`;
  return isBuilt(kernelDirectory()) ? undefined : 'the kernel under test is not built: node .ci/setup.mjs test';
}

/** Finds or builds it, and gives its folder. Several processes may ask at once: one builds, the others wait. */
export async function ensureKernel(options: BuildOptions): Promise<string> {
  const directory = kernelDirectory();
  if (!isBuilt(directory)) {
    const { buildKernel } = await import('./kernelBuild.ts');
    await buildKernel(directory, options);
  }
  return directory;
}

/** An interrupted build removes what it has unpacked. */
async function build(): Promise<void> {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort());
  try {
    console.log(await ensureKernel({ progress: (line) => console.error(line), signal: controller.signal }));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

async function main(): Promise<void> {
  if (!process.argv.includes('--check')) return build();
  const obstacle = kernelObstacle();
  if (obstacle === undefined) return;
  console.error(obstacle);
  process.exitCode = 1;
}

if (import.meta.main) await main();
