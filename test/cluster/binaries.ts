/**
 * The programs that the local cluster runs: real Kubernetes, etcd, containerd and CoreDNS.
 *
 * Each is taken from KUBEBUILDER_ASSETS, else from the cache, else from PATH where its version fits, and else built
 * from the Go modules beside this file. The cache goes before PATH because a program there has to be run before its
 * version is known. Another Kubernetes than the default is always built.
 *
 * As a program, `node binaries.ts [--check]`. Exit status: 0 all are there, 1 some are not, 2 the version of Kubernetes
 * that is asked for cannot be had.
 *
 * Only Node's own modules are imported here: `--check` runs before every test command and must cost nothing.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { binaryNames, cachedPath, goModule, isKubernetes, moduleVersion, versionArguments } from './binaryCatalog.ts';
import type { BinaryName } from './binaryCatalog.ts';
import { chosenKubernetes, defaultKubernetes, KubernetesVersionError } from './kubernetesVersion.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';

export { binaryNames } from './binaryCatalog.ts';
export type { BinaryName } from './binaryCatalog.ts';

/** Absolute path of each program. */
export type Binaries = Record<BinaryName, string>;

export interface BinariesOptions {
  readonly progress?: ((line: string) => void) | undefined;
  /** Which programs are needed; all by default. Building fewer takes less time. */
  readonly which?: readonly BinaryName[] | undefined;
  /** Whose programs; what KUBERNETES says by default. */
  readonly kubernetes?: KubernetesVersion | undefined;
}

/**
 * Finds or builds the programs. Several processes may ask at once: one builds, the others wait and find the result.
 * Throws a KubernetesVersionError where that version cannot be had.
 */
export async function ensureBinaries(options: BinariesOptions = {}): Promise<Binaries> {
  const { which = binaryNames, kubernetes = chosenKubernetes(), progress = () => {} } = options;
  if (missingBinaries(which, kubernetes).length > 0) {
    const { buildBinaries } = await import('./goBuild.ts');
    await buildBinaries({ missing: () => missingBinaries(which, kubernetes), kubernetes, progress });
  }
  return Object.fromEntries(which.map((name) => [name, findBinary(name, kubernetes) ?? ''])) as Binaries;
}

/** The programs that would have to be built. */
export function missingBinaries(
  which: readonly BinaryName[] = binaryNames,
  kubernetes: KubernetesVersion = chosenKubernetes(),
): BinaryName[] {
  return which.filter((name) => findBinary(name, kubernetes) === undefined);
}

function findBinary(name: BinaryName, kubernetes: KubernetesVersion): string | undefined {
  const cached = cachedPath(name, kubernetes);
  const inCache = cached !== undefined && isExecutable(cached) ? cached : undefined;
  // Elsewhere the default is taken for granted, or looked for roughly.
  if (isKubernetes(goModule(name)) && kubernetes !== defaultKubernetes()) return inCache;
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets && isExecutable(join(assets, name))) return join(assets, name);
  return inCache ?? findOnPath(name);
}

/** A program on PATH counts only at the minor version that the cluster is written for. */
function findOnPath(name: BinaryName): string | undefined {
  const folder = (process.env['PATH'] ?? '').split(delimiter).find((entry) => isExecutable(join(entry, name)));
  if (folder === undefined) return undefined;
  const path = join(folder, name);
  const minor = moduleVersion(goModule(name))
    .replace(/\.\d+$/, '')
    .slice(1);
  try {
    const version = execFileSync(path, versionArguments(name), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return version.includes(`${minor}.`) ? path : undefined;
  } catch {
    return undefined;
  }
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function main(): Promise<void> {
  if (process.argv.includes('--check')) {
    const missing = missingBinaries();
    if (missing.length > 0) console.error(`not built yet: ${missing.join(', ')}`);
    process.exitCode = missing.length > 0 ? 1 : 0;
    return;
  }
  const binaries = await ensureBinaries({ progress: (line) => console.error(line) });
  for (const name of binaryNames) console.log(`${name}\t${binaries[name]}`);
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    if (!(error instanceof KubernetesVersionError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  });
}
