/**
 * @module Clients that are a service account of the installation, by tokens as the API server issues them to the
 * kubelet.
 */
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import type { ClusterFixture } from '../operator/clusterFixture.ts';

export interface Binding {
  readonly kind: 'Pod' | 'Node';
  readonly name: string;
}

const namespace = 'proxyconfig-system';

export async function clientFor(cluster: ClusterFixture, account: string, boundTo?: Binding): Promise<KubeClient> {
  const token = await cluster.kubectl([
    'create',
    'token',
    account,
    '-n',
    namespace,
    ...(boundTo === undefined ? [] : await bindingFlags(cluster, boundTo)),
  ]);
  const { server, tls } = loadKubeConfig({ kubeconfig: cluster.server.kubeconfig });
  return createKubeClient({ server, tls: { ca: tls.ca }, token: () => token.trim() });
}

async function bindingFlags(cluster: ClusterFixture, { kind, name }: Binding): Promise<string[]> {
  const uid = await cluster.kubectl(['get', kind, name, '-n', namespace, '-o', 'jsonpath={.metadata.uid}']);
  return [`--bound-object-kind=${kind}`, `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
}
