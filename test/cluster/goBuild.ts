import { execa } from 'execa';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { cacheDirectory } from './cacheDirectory.ts';
import { cachedPath, goModule, goPackage, moduleFolder, moduleVersion } from './binaryCatalog.ts';
import type { BinaryName, GoModule } from './binaryCatalog.ts';
import { withLock } from './lock.ts';
import { reportLines } from './progress.ts';

type Progress = (line: string) => void;

const reportEveryMs = 5_000;

/** Builds what `missing` names once the lock is ours: another process may have built it meanwhile. */
export async function buildBinaries(missing: () => readonly BinaryName[], progress: Progress): Promise<void> {
  progress(
    `to build from the Go module proxy: ${missing().join(', ')} (about 8 minutes on 2 cores when nothing is cached)`,
  );
  await withLock(cacheDirectory('bin', 'lock'), async () => {
    for (const names of Object.values(Object.groupBy(missing(), (name) => goModule(name).folder))) {
      if (names) await buildModule(names, progress);
    }
  });
}

/** The programs of one module in one `go build`, which shares the packages and uses all cores. */
async function buildModule(names: readonly BinaryName[], progress: Progress): Promise<void> {
  const [first] = names;
  if (first === undefined) return;
  const folder = dirname(cachedPath(first));
  await mkdir(folder, { recursive: true });
  const output = await mkdtemp(`${folder}.building-`);
  try {
    await goBuild(names, output, progress);
    for (const name of names) await rename(join(output, outputName(name)), cachedPath(name));
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

async function goBuild(names: readonly BinaryName[], output: string, progress: Progress): Promise<void> {
  const [first] = names;
  if (first === undefined) return;
  const module = goModule(first);
  const packages = names.map(goPackage);
  const options = { cwd: moduleFolder(module), env: buildEnvironment() };
  progress(`${module.folder}: fetching the modules`);
  const listed = await execa('go', ['list', '-deps', '-f', '.', ...packages], options);
  const total = listed.stdout.length / 2;
  const flags = ['-v', '-trimpath', '-ldflags', linkerFlags(names)];
  const build = execa('go', ['build', ...flags, '-o', `${output}/`, ...packages], {
    ...options,
    buffer: { stdout: true, stderr: true },
  });
  // `go build -v` names each package on standard error as it compiles it.
  const stopReporting = reportLines(build.stderr, reportEveryMs, (count, seconds) => {
    progress(`${module.folder}: ${count} of at most ${Math.round(total)} packages compiled, ${seconds} s`);
  });
  try {
    await build;
  } finally {
    stopReporting();
  }
  progress(`${module.folder}: built ${names.join(', ')}`);
}

function linkerFlags(names: readonly BinaryName[]): string {
  const modules = new Map<string, GoModule>(names.map((name) => [goModule(name).folder, versioned(goModule(name))]));
  const settings = [...modules.values()].flatMap((module) =>
    module.versionVariables.map((variable) => `-X ${variable}=${moduleVersion(module)}`),
  );
  return ['-s -w', ...settings].join(' ');
}

/** etcd is built within the Kubernetes module, and the linker's variables are all Kubernetes' own. */
function versioned(module: GoModule): GoModule {
  return module.folder === 'kubernetes' ? { ...module, versionOf: 'k8s.io/kubernetes' } : module;
}

/** Go names a program after its package's last element that is not a version: etcd's server becomes `server`. */
function outputName(name: BinaryName): string {
  return basename(goPackage(name).replace(/\/v\d+$/, ''));
}

/** Static programs: they run in any image and any mount namespace. A go.work of the surroundings must not matter. */
function buildEnvironment(): Record<string, string> {
  return { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-buildvcs=false' };
}
