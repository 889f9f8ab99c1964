import { execa } from 'execa';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { withLock } from '../cluster/lock.ts';
import { reportLines } from '../cluster/progress.ts';
import { deviations } from './kernelConfiguration.ts';
import { type BuildOptions, fragment, isBuilt } from './kernelFiles.ts';
import { fetchKernelSource } from './kernelSource.ts';

const unfinished = 'building-';
const reportEveryMs = 10_000;
/** How many lines `make` prints, for people who wait. */
const usualLines = '1,700';
const keptLines = 30;
/** With what may come after AMX. */
const registerBytes = 12_288;

/**
 * Builds the kernel into this folder, where another process has not done so meanwhile. The tree of 2 GB beside it is
 * removed whatever happens, and that of a build that was killed by the next. Throws where apt has no source, where an
 * option of the fragment is not in the kernel's configuration, and where the compiler fails.
 */
export async function buildKernel(directory: string, options: BuildOptions): Promise<void> {
  const cache = dirname(directory);
  options.progress('to build: the kernel under test (about 6 minutes on 2 cores)');
  await withLock(join(cache, 'lock'), async () => {
    if (isBuilt(directory)) return;
    await removeUnfinished(cache);
    const tree = await mkdtemp(join(cache, unfinished));
    try {
      await rename(await build(tree, options), directory);
    } finally {
      await rm(tree, { recursive: true, force: true });
    }
  });
  options.progress(`the kernel under test is in ${directory}`);
}

/** Only who holds the lock builds. */
async function removeUnfinished(cache: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const left = (await readdir(cache)).filter((name) => name.startsWith(unfinished));
  for (const name of left) await rm(join(cache, name), { recursive: true, force: true });
}

/** Gives the folder in the tree that is to be kept. */
async function build(tree: string, { progress, signal }: BuildOptions): Promise<string> {
  const { directory, version } = await fetchKernelSource(tree, { progress, signal });
  const built = join(tree, 'built');
  const run = (file: string, args: readonly string[], onLines?: (count: number, seconds: number) => void) =>
    runIn(directory, [file, ...args], { signal, onLines });
  await makeRoomForRegisters(directory);
  await run('make', ['defconfig']);
  await run('scripts/kconfig/merge_config.sh', ['-m', '.config', fragment]);
  await run('make', ['olddefconfig']);
  await expectOptions(directory);
  await run('make', [`-j${availableParallelism()}`, 'linux', 'modules'], (count, seconds) =>
    progress(`Linux ${version}: ${count} of about ${usualLines} steps, ${seconds} s`),
  );
  await run('make', ['modules_install', `INSTALL_MOD_PATH=${built}`, 'INSTALL_MOD_STRIP=1']);
  await run('strip', ['-o', join(built, 'linux'), 'linux']);
  return built;
}

/**
 * Every process of User Mode Linux is given the processor's registers as a whole, and the machine's kernel takes them
 * only as a whole (xstateregs_set in arch/x86/kernel/fpu/regset.c). Linux 6.12 has room for those of AVX-512, 2,696
 * bytes; with AMX they are 11,008, and the first process ends with "ptrace set fp regs failed, errno = 14". More room
 * than there are registers does no harm.
 */
async function makeRoomForRegisters(directory: string): Promise<void> {
  const file = join(directory, 'arch/x86/um/user-offsets.c');
  const [before, after, ...others] = (await readFile(file, 'utf8')).split('(HOST_FP_SIZE, 2696)');
  if (after === undefined || others.length > 0) throw new Error(`${basename(file)} has another size of registers`);
  await writeFile(file, [before, after].join(`(HOST_FP_SIZE, ${registerBytes})`));
}

/** The same file wherever it is built, by whomever, whenever. */
const env = {
  ARCH: 'um',
  LC_ALL: 'C',
  KBUILD_BUILD_USER: 'test',
  KBUILD_BUILD_HOST: 'test',
  KBUILD_BUILD_TIMESTAMP: '1970-01-01',
};

interface Running {
  readonly signal?: AbortSignal | undefined;
  readonly onLines?: ((count: number, seconds: number) => void) | undefined;
}

/** Throws with the last lines of what the program printed when it fails. */
async function runIn(cwd: string, [file = '', ...args]: readonly string[], { signal, onLines }: Running) {
  const child = execa(file, args, { cwd, env, all: true, reject: false, ...(signal && { cancelSignal: signal }) });
  const stopReporting = onLines && reportLines(child.stdout, reportEveryMs, onLines);
  const { failed, shortMessage, all } = await child.finally(stopReporting);
  if (failed) throw new Error([shortMessage, ...all.split('\n').slice(-keptLines)].join('\n'));
}

async function expectOptions(directory: string): Promise<void> {
  const files = [fragment, join(directory, '.config')];
  const [wanted = '', made = ''] = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const found = deviations(wanted, made);
  if (found.length > 0) throw new Error([`the kernel is not as ${basename(fragment)} says:`, ...found].join('\n'));
}
