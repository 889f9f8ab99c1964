import { execa } from 'execa';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { cacheDirectory } from './cacheDirectory.ts';
import { cachedPath, goModule, goPackage, isKubernetes, moduleFolder, moduleVersion } from './binaryCatalog.ts';
import type { BinaryName, GoModule } from './binaryCatalog.ts';
import { goEnvironment } from './goModules.ts';
import { ensureKubernetesModule } from './kubernetesModule.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';
import { withLock } from './lock.ts';
import { reportLines } from './progress.ts';

type Progress = (line: string) => void;

export interface BuildRequest {
  /** What is not there at the moment. */
  readonly missing: () => readonly BinaryName[];
  readonly kubernetes: KubernetesVersion;
  readonly progress: Progress;
}

interface GoBuild {
  readonly names: readonly BinaryName[];
  readonly kubernetes: KubernetesVersion;
  /** An empty directory for the programs. */
  readonly output: string;
  readonly progress: Progress;
}

const reportEveryMs = 5_000;

/** Builds what `missing` names once the lock is ours: another process may have built it meanwhile. */
export async function buildBinaries({ missing, kubernetes, progress }: BuildRequest): Promise<void> {
  if (missing().some((name) => isKubernetes(goModule(name)))) await ensureKubernetesModule(kubernetes, progress);
  progress(
    `to build from the Go module proxy: ${missing().join(', ')} (about 8 minutes on 2 cores when nothing is cached)`,
  );
  await withLock(cacheDirectory('bin', 'lock'), async () => {
    for (const names of Object.values(Object.groupBy(missing(), (name) => goModule(name).folder))) {
      if (names) await buildModule(names, kubernetes, progress);
    }
  });
}

/** The programs of one module in one `go build`, which shares the packages and uses all cores. */
async function buildModule(
  names: readonly BinaryName[],
  kubernetes: KubernetesVersion,
  progress: Progress,
): Promise<void> {
  const paths = names.map((name) => ({ name, path: cachedPath(name, kubernetes) ?? '' }));
  const folder = dirname(paths[0]?.path ?? '');
  await mkdir(folder, { recursive: true });
  const output = await mkdtemp(`${folder}.building-`);
  try {
    await goBuild({ names, kubernetes, output, progress });
    for (const { name, path } of paths) await rename(join(output, outputName(name)), path);
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

async function goBuild({ names, kubernetes, output, progress }: GoBuild): Promise<void> {
  const [first] = names;
  if (first === undefined) return;
  const module = goModule(first);
  const packages = names.map(goPackage);
  const options = {
    cwd: moduleFolder(module, kubernetes),
    env: { ...goEnvironment, GOFLAGS: '-buildvcs=false' },
  };
  progress(`${module.folder}: fetching the modules`);
  const listed = await execa('go', ['list', '-deps', '-f', '.', ...packages], options);
  const total = listed.stdout.length / 2;
  const flags = ['-v', '-trimpath', '-ldflags', linkerFlags(module, kubernetes)];
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

/** All linker's variables of a module get its one version: etcd, which is built within Kubernetes', has none. */
function linkerFlags(module: GoModule, kubernetes: KubernetesVersion): string {
  const version = isKubernetes(module) ? kubernetes : moduleVersion(module);
  return ['-s -w', ...module.versionVariables.map((variable) => `-X ${variable}=${version}`)].join(' ');
}

/** Go names a program after its package's last element that is not a version: etcd's server becomes `server`. */
function outputName(name: BinaryName): string {
  return basename(goPackage(name).replace(/\/v\d+$/, ''));
}
