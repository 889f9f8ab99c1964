/**
 * The Go module that the programs of a Kubernetes version are built from. Its go.mod asks for what k8s.io/kubernetes
 * itself was built with: its own requirements, with the staging modules, which stand in its tree, at the version that
 * they are published at. So etcd is the one that this Kubernetes names.
 *
 * As a program, `node kubernetesModule.ts VERSION` writes the committed module anew, for that version.
 * @module
 */
import { execa, ExecaError } from 'execa';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { goModule, kubernetesPackages, moduleFolder } from './binaryCatalog.ts';
import { cacheDirectory } from './cacheDirectory.ts';
import { goEnvironment, goFolder } from './goModules.ts';
import { parseKubernetesVersion, unusable } from './kubernetesVersion.ts';
import type { KubernetesVersion, KubernetesVersionError } from './kubernetesVersion.ts';
import { withLock } from './lock.ts';

/** A go.mod as `go mod edit -json` prints it, as far as it is read here. */
export interface ModuleFile {
  readonly Go: string;
  readonly Require: readonly { readonly Path: string; readonly Version: string }[];
  readonly Replace: readonly { readonly Old: { readonly Path: string }; readonly New: { readonly Path: string } }[];
}

/**
 * Staging modules that the Go module proxy was asked for in vain at a version, in November 2026, with the newest version
 * before it that it serves. Without them the oldest Kubernetes that is supported could not be run.
 */
const servedInstead: ReadonlyMap<string, string> = new Map([['k8s.io/endpointslice v0.32.13', 'v0.32.12']]);

const files = ['go.mod', 'go.sum'];
const environment = { ...goEnvironment, GOFLAGS: '-mod=mod' };

/** Makes the module where binaryCatalog.ts looks for it, unless it is there; throws where the version is not served. */
export async function ensureKubernetesModule(
  version: KubernetesVersion,
  progress: (line: string) => void,
): Promise<void> {
  const folder = moduleFolder(goModule('kubelet'), version);
  if (existsSync(folder)) return;
  await withLock(cacheDirectory('modules', 'lock'), async () => {
    if (existsSync(folder)) return;
    progress(`kubernetes: making the Go module of ${version}`);
    await makeIn(dirname(folder), version, (made) => rename(made, folder));
  });
}

/** Makes the module in a new directory below `parent`, which is gone after `use`. */
export async function makeIn(
  parent: string,
  version: KubernetesVersion,
  use: (directory: string) => Promise<void>,
): Promise<void> {
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, 'making-'));
  try {
    await writeFile(join(directory, 'go.mod'), moduleText(version, await upstreamModule(version, directory)));
    await complete(version, directory);
    await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Our go.mod, before Go adds what no requirement names. */
export function moduleText(version: KubernetesVersion, { Go, Require, Replace }: ModuleFile): string {
  const staging = Replace.filter(({ New }) => New.Path.startsWith('./staging/')).map(({ Old }) => Old.Path);
  const others = Require.filter(({ Path }) => !staging.includes(Path));
  return `// The control plane, the kubelet, kubectl and the peer kube-proxy of the local test cluster.
module example.invalid/cluster/kubernetes

go ${Go}

require (
	k8s.io/kubernetes ${version}
${others.map(({ Path, Version }) => `\t${Path} ${Version} // indirect\n`).join('')})

replace (
${staging.map((path) => `\t${path} => ${path} ${stagingVersion(path, version)}\n`).join('')})
`;
}

/** Kubernetes 1.37.2 is published with staging modules 0.37.2. */
function stagingVersion(path: string, version: KubernetesVersion): string {
  const published = version.replace(/^v1\./, 'v0.');
  return servedInstead.get(`${path} ${published}`) ?? published;
}

/** The go.mod that Kubernetes itself has in that version. */
async function upstreamModule(version: KubernetesVersion, cwd: string): Promise<ModuleFile> {
  const options = { cwd, env: environment };
  const listed = await execa('go', ['list', '-m', '-json', `k8s.io/kubernetes@${version}`], options).catch(
    (error: unknown) => {
      throw isRefusal(error) ? notServed(version, [`k8s.io/kubernetes ${version}`], error) : error;
    },
  );
  const { GoMod } = JSON.parse(listed.stdout) as { GoMod: string };
  const { stdout } = await execa('go', ['mod', 'edit', '-json', GoMod], options);
  return JSON.parse(stdout) as ModuleFile;
}

/** Has Go write go.sum, and into go.mod what no requirement names. */
async function complete(version: KubernetesVersion, cwd: string): Promise<void> {
  const args = ['list', '-deps', '-f', '.', ...kubernetesPackages()];
  await execa('go', args, { cwd, env: environment }).catch((error: unknown) => {
    const refused = isRefusal(error) ? refusedModules(error.stderr) : [];
    throw refused.length > 0 ? notServed(version, refused, error) : error;
  });
}

/** The modules that Go could not get, by its own words; a newer Go that a go.mod asks for is one of them. */
export function refusedModules(stderr: string): string[] {
  const refusals = stderr.matchAll(/([^\s@]+)@(v[^\s:]+): (?:reading|invalid version)/g);
  return [...new Set([...refusals].map(([, path, version]) => `${path} ${version}`))];
}

/** Whether Go ran and refused: something else than that there is no Go. */
function isRefusal(error: unknown): error is Error & { readonly stderr: string } {
  return error instanceof ExecaError && error.exitCode === 1 && typeof error.stderr === 'string';
}

function notServed(version: KubernetesVersion, modules: readonly string[], cause: unknown): KubernetesVersionError {
  return unusable(version, `the Go module proxy does not give ${modules.join(', ')}`, { cause });
}

async function main([text = '']: readonly string[]): Promise<void> {
  const committed = goFolder('kubernetes');
  await makeIn(cacheDirectory('modules'), parseKubernetesVersion(text), async (made) => {
    for (const file of files) await copyFile(join(made, file), join(committed, file));
  });
}

if (import.meta.main) await main(process.argv.slice(2));
