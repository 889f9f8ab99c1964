/**
 * The programs that the local cluster runs: real Kubernetes, etcd, containerd and CoreDNS.
 *
 * Each is taken from KUBEBUILDER_ASSETS, else from PATH where its version fits, else from the cache, and else built
 * from the Go modules beside this file. As a program: `node binaries.ts [--check]`.
 *
 * Only Node's own modules are imported here: `--check` runs before every test command and must cost nothing.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cacheDirectory, contentKey } from './cacheDirectory.ts'

export interface GoModule {
  /** Folder under go/, and the module whose version the programs are built at. */
  readonly folder: string
  readonly versionOf: string
  /** Linker flags that make a program tell its version, for modules whose programs do not know it by themselves. */
  readonly versionVariables: readonly string[]
}

interface Program {
  readonly module: GoModule
  readonly package: string
  /** Prints the version, for what is found on PATH. */
  readonly versionArguments: readonly string[]
}

const kubernetes: GoModule = {
  folder: 'kubernetes',
  versionOf: 'k8s.io/kubernetes',
  versionVariables: ['k8s.io/component-base/version.gitVersion', 'k8s.io/client-go/pkg/version.gitVersion'],
}
const containerd: GoModule = {
  folder: 'containerd',
  versionOf: 'github.com/containerd/containerd/v2',
  versionVariables: ['github.com/containerd/containerd/v2/version.Version'],
}
const coredns: GoModule = { folder: 'coredns', versionOf: 'github.com/coredns/coredns', versionVariables: [] }
const etcd: GoModule = { ...kubernetes, versionOf: 'go.etcd.io/etcd/server/v3' }

const programs = {
  etcd: { module: etcd, package: 'go.etcd.io/etcd/server/v3', versionArguments: ['--version'] },
  kubectl: { module: kubernetes, package: 'k8s.io/kubernetes/cmd/kubectl', versionArguments: ['version', '--client'] },
  'kube-apiserver': kubernetesProgram('kube-apiserver'),
  'kube-controller-manager': kubernetesProgram('kube-controller-manager'),
  'kube-scheduler': kubernetesProgram('kube-scheduler'),
  kubelet: kubernetesProgram('kubelet'),
  'kube-proxy': kubernetesProgram('kube-proxy'),
  containerd: containerdProgram('containerd', '--version'),
  'containerd-shim-runc-v2': containerdProgram('containerd-shim-runc-v2', '-v'),
  ctr: containerdProgram('ctr', '--version'),
  coredns: { module: coredns, package: 'github.com/coredns/coredns', versionArguments: ['-version'] },
} satisfies Record<string, Program>

export type BinaryName = keyof typeof programs
/** Absolute path of each program. */
export type Binaries = Record<BinaryName, string>

export const binaryNames = Object.keys(programs) as readonly BinaryName[]

export interface BinariesOptions {
  readonly progress?: ((line: string) => void) | undefined
  /** Which programs are needed; all by default. Building fewer takes less time. */
  readonly which?: readonly BinaryName[] | undefined
}

/** Finds or builds the programs. Several processes may ask at once: one builds, the others wait and find the result. */
export async function ensureBinaries(options: BinariesOptions = {}): Promise<Binaries> {
  const which = options.which ?? binaryNames
  if (missingBinaries(which).length > 0) {
    const { buildBinaries } = await import('./goBuild.ts')
    await buildBinaries(() => missingBinaries(which), options.progress ?? (() => {}))
  }
  return Object.fromEntries(which.map((name) => [name, findBinary(name) ?? cachedPath(name)])) as Binaries
}

/** The programs that would have to be built. */
export function missingBinaries(which: readonly BinaryName[] = binaryNames): BinaryName[] {
  return which.filter((name) => findBinary(name) === undefined)
}

function findBinary(name: BinaryName): string | undefined {
  const assets = process.env['KUBEBUILDER_ASSETS']
  if (assets && isExecutable(join(assets, name))) return join(assets, name)
  return findOnPath(name) ?? (isExecutable(cachedPath(name)) ? cachedPath(name) : undefined)
}

/** A program on PATH counts only at the minor version that the cluster is written for. */
function findOnPath(name: BinaryName): string | undefined {
  const folder = (process.env['PATH'] ?? '').split(delimiter).find((entry) => isExecutable(join(entry, name)))
  if (folder === undefined) return undefined
  const path = join(folder, name)
  const minor = moduleVersion(programs[name].module).replace(/\.\d+$/, '').slice(1)
  try {
    const version = execFileSync(path, programs[name].versionArguments, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return version.includes(`${minor}.`) ? path : undefined
  } catch {
    return undefined
  }
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export function goModule(name: BinaryName): GoModule {
  return programs[name].module
}

export function goPackage(name: BinaryName): string {
  return programs[name].package
}

export function moduleFolder(module: GoModule): string {
  return join(import.meta.dirname, 'go', module.folder)
}

/** The version that go.mod asks for, as in `v1.36.3`. */
export function moduleVersion(module: GoModule): string {
  const text = readFileSync(join(moduleFolder(module), 'go.mod'), 'utf8')
  const found = text.split('\n').map((line) => line.replace(/^require /, '').trim().split(' '))
  const version = found.find(([path]) => path === module.versionOf)?.[1]
  if (version === undefined) throw new Error(`go.mod in ${moduleFolder(module)} does not require ${module.versionOf}`)
  return version
}

/** Where a program built here is kept. */
export function cachedPath(name: BinaryName): string {
  const module = programs[name].module
  const files = ['go.mod', 'go.sum'].map((file) => join(moduleFolder(module), file))
  return cacheDirectory('bin', `${module.folder}-${process.arch}-${contentKey(files)}`, name)
}

function kubernetesProgram(name: string): Program {
  return { module: kubernetes, package: `k8s.io/kubernetes/cmd/${name}`, versionArguments: ['--version'] }
}

function containerdProgram(name: string, versionArgument: string): Program {
  return { module: containerd, package: `github.com/containerd/containerd/v2/cmd/${name}`, versionArguments: [versionArgument] }
}

async function main(): Promise<void> {
  if (process.argv.includes('--check')) {
    const missing = missingBinaries()
    if (missing.length > 0) console.error(`not built yet: ${missing.join(', ')}`)
    process.exitCode = missing.length > 0 ? 1 : 0
    return
  }
  const binaries = await ensureBinaries({ progress: (line) => console.error(line) })
  for (const name of binaryNames) console.log(`${name}\t${binaries[name]}`)
}

if (import.meta.main) await main()
