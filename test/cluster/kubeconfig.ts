import { readFile, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { Certificate } from './certificates.ts';

export interface KubeconfigContent {
  readonly server: string;
  /** Path of the authority's certificate. */
  readonly authority: string;
  readonly client: Certificate;
}

/** Writes a kubeconfig that holds all it needs: it can be copied into a node, a pod or another mount namespace. */
export async function writeKubeconfig(path: string, content: KubeconfigContent): Promise<string> {
  const [authority, certificate, key] = await Promise.all(
    [content.authority, content.client.certificate, content.client.key].map((file) => readFile(file, 'base64')),
  );
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server: content.server, 'certificate-authority-data': authority } }],
    users: [{ name: 'local', user: { 'client-certificate-data': certificate, 'client-key-data': key } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'local' } }],
    'current-context': 'local',
  };
  await writeFile(path, stringify(document), { mode: 0o600 });
  return path;
}
