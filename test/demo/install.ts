/**
 * @module Installs the product in a local cluster as its users do: `kubectl apply -k` of an overlay over the
 * repository's root.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Cluster } from '../cluster/cluster.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export interface InstallOptions {
  /** Without agents the nodes stay as they are, and every step that needs packets must fail. */
  readonly withoutAgents?: boolean;
}

/** Nodes without this label take no agent; no node has it. */
const noNode = [{ op: 'add', path: '/spec/template/spec/nodeSelector/proxyconfig.dev~1no-agent', value: 'true' }];

function overlay(cluster: Cluster, folder: string, withoutAgents: boolean): object {
  const address = {
    KUBERNETES_SERVICE_HOST: cluster.apiServer.host,
    KUBERNETES_SERVICE_PORT: String(cluster.apiServer.port),
  };
  return {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(folder, repository)],
    configMapGenerator: [
      {
        name: 'proxyconfig-api-server',
        namespace: 'proxyconfig-system',
        behavior: 'merge',
        literals: Object.entries(address).map((pair) => pair.join('=')),
      },
    ],
    patches: withoutAgents
      ? [{ target: { kind: 'DaemonSet', name: 'proxyconfig-agent' }, patch: JSON.stringify(noNode) }]
      : [],
  };
}

async function must(cluster: Cluster, argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await cluster.kubectl(argv);
  if (exitCode !== 0) throw new Error(`kubectl ${argv.join(' ')}: ${stderr}`);
  return stdout;
}

/**
 * Applies the manifests and waits until operator and agents run; the nodes must have the image. Applying again changes
 * what differs.
 */
export async function install(cluster: Cluster, { withoutAgents = false }: InstallOptions = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'proxyconfig-overlay-'));
  try {
    await writeFile(join(folder, 'kustomization.yaml'), stringify(overlay(cluster, folder, withoutAgents)));
    const applied = await must(cluster, ['apply', '-k', folder]);
    const workloads = withoutAgents
      ? ['deployment/proxyconfig-operator']
      : ['deployment/proxyconfig-operator', 'daemonset/proxyconfig-agent'];
    for (const workload of workloads)
      await must(cluster, ['-n', 'proxyconfig-system', 'rollout', 'status', workload, '--timeout=120s']);
    return applied;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
