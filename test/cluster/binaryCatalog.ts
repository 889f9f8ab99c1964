/**
 * Which programs the cluster and tests run, and which Go module beside this file each is built from. Only data and
 * paths: nothing is looked for or built here.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, contentKey } from './cacheDirectory.ts';

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

export function moduleFolder(module: GoModule): string {
  return join(import.meta.dirname, 'go', module.folder);
}

/** The version that go.mod asks for, as in `v1.36.3`. */
export function moduleVersion(module: GoModule): string {
  const text = readFileSync(join(moduleFolder(module), 'go.mod'), 'utf8');
  const found = text.split('\n').map((line) =>
    line
      .replace(/^require /, '')
      .trim()
      .split(' '),
  );
  const version = found.find(([path]) => path === module.versionOf)?.[1];
  if (version === undefined) throw new Error(`go.mod in ${moduleFolder(module)} does not require ${module.versionOf}`);
  return version;
}

/** Where a program built here is kept. */
export function cachedPath(name: BinaryName): string {
  const module = programs[name].module;
  const folder = moduleFolder(module);
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
