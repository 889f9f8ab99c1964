/**
 * Which programs the cluster and tests run, and which Go module each is built from: one beside this file, or for
 * another Kubernetes one in the cache. Only data and paths: nothing is looked for or built here.
 * @module
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, contentKey } from './cacheDirectory.ts';
import { goFolder, requiredVersion } from './goModules.ts';
import { chosenKubernetes, defaultKubernetes } from './kubernetesVersion.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';

export interface GoModule {
  /** Folder under go/, and the module whose version the programs are built at. */
  readonly folder: string;
  readonly versionOf: string;
  /** Linker flags that make a program tell its version, for modules whose programs do not know it by themselves. */
  readonly versionVariables: readonly string[];
}

interface Program {
  readonly module: GoModule;
  readonly package: string;
  /** Prints the version, for what is found on PATH. */
  readonly versionArguments: readonly string[];
}

const kubernetes: GoModule = {
  folder: 'kubernetes',
  versionOf: 'k8s.io/kubernetes',
  versionVariables: ['k8s.io/component-base/version.gitVersion', 'k8s.io/client-go/pkg/version.gitVersion'],
};
const containerd: GoModule = {
  folder: 'containerd',
  versionOf: 'github.com/containerd/containerd/v2',
  versionVariables: ['github.com/containerd/containerd/v2/version.Version'],
};
const coredns: GoModule = { folder: 'coredns', versionOf: 'github.com/coredns/coredns', versionVariables: [] };
const etcd: GoModule = { ...kubernetes, versionOf: 'go.etcd.io/etcd/server/v3' };

const actionlint: GoModule = { folder: 'actionlint', versionOf: 'github.com/rhysd/actionlint', versionVariables: [] };
const addresses: GoModule = { folder: 'addresses', versionOf: 'k8s.io/utils', versionVariables: [] };
const kubeconform: GoModule = {
  folder: 'kubeconform',
  versionOf: 'github.com/yannh/kubeconform',
  versionVariables: ['main.version'],
};
const kubeScore: GoModule = {
  folder: 'kube-score',
  versionOf: 'github.com/zegl/kube-score',
  versionVariables: ['main.version'],
};
const health: GoModule = { folder: 'health', versionOf: 'sigs.k8s.io/cli-utils', versionVariables: [] };

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
  addresses: { module: addresses, package: 'proxyconfig.dev/addresses', versionArguments: [] },
  health: { module: health, package: 'proxyconfig.dev/health', versionArguments: [] },
  coredns: { module: coredns, package: 'github.com/coredns/coredns', versionArguments: ['-version'] },
  actionlint: {
    module: actionlint,
    package: 'github.com/rhysd/actionlint/cmd/actionlint',
    versionArguments: ['-version'],
  },
  kubeconform: {
    module: kubeconform,
    package: 'github.com/yannh/kubeconform/cmd/kubeconform',
    versionArguments: ['-v'],
  },
  'kube-score': {
    module: kubeScore,
    package: 'github.com/zegl/kube-score/cmd/kube-score',
    versionArguments: ['version'],
  },
} satisfies Record<string, Program>;

export type BinaryName = keyof typeof programs;
export const binaryNames = Object.keys(programs) as readonly BinaryName[];

/** Arguments that make a program print its version. */
export function versionArguments(name: BinaryName): readonly string[] {
  return programs[name].versionArguments;
}

export function goModule(name: BinaryName): GoModule {
  return programs[name].module;
}

export function goPackage(name: BinaryName): string {
  return programs[name].package;
}

/** Whether the programs of a module are those of the Kubernetes version that is chosen. */
export function isKubernetes(module: GoModule): boolean {
  return module.folder === kubernetes.folder;
}

/** The packages that the programs of Kubernetes' module are built from. */
export function kubernetesPackages(): readonly string[] {
  return binaryNames.filter((name) => isKubernetes(goModule(name))).map(goPackage);
}

/** Where a module's go.mod is; kubernetesModule.ts makes that of another Kubernetes than the default. */
export function moduleFolder(module: GoModule, version: KubernetesVersion = chosenKubernetes()): string {
  if (!isKubernetes(module) || version === defaultKubernetes()) return goFolder(module.folder);
  const maker = join(import.meta.dirname, 'kubernetesModule.ts');
  return cacheDirectory('modules', `kubernetes-${version}-${contentKey([maker], ...kubernetesPackages())}`);
}

/** Of the programs of a module whose go.mod is there, as in `v1.37.2`. */
export function moduleVersion(module: GoModule, version: KubernetesVersion = chosenKubernetes()): string {
  return requiredVersion(moduleFolder(module, version), module.versionOf);
}

/** Where a program built here is kept, or undefined where what it is built from is not there yet. */
export function cachedPath(name: BinaryName, version: KubernetesVersion = chosenKubernetes()): string | undefined {
  const module = goModule(name);
  const folder = moduleFolder(module, version);
  if (!existsSync(folder)) return undefined;
  const files = readdirSync(folder)
    .sort()
    .map((file) => join(folder, file));
  return cacheDirectory('bin', `${module.folder}-${process.arch}-${contentKey(files)}`, name);
}

function kubernetesProgram(name: string): Program {
  return { module: kubernetes, package: `k8s.io/kubernetes/cmd/${name}`, versionArguments: ['--version'] };
}

function containerdProgram(name: string, versionArgument: string): Program {
  return {
    module: containerd,
    package: `github.com/containerd/containerd/v2/cmd/${name}`,
    versionArguments: [versionArgument],
  };
}
