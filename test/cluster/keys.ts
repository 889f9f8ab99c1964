import { mkdir } from 'node:fs/promises';
import {
  certificatePaths,
  createAuthority,
  createServiceAccountKey,
  existingAuthority,
  serviceAccountKey,
} from './certificates.ts';
import { apiServerNames } from './controlPlane.ts';
import type { ControlPlaneKeys } from './controlPlane.ts';

const serverFile = 'apiserver';
const kubeletClientFile = 'apiserver-kubelet-client';

/** Makes all that a control plane reached at `addresses` needs to prove who it is. */
export async function createKeys(directory: string, addresses: readonly string[]): Promise<ControlPlaneKeys> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const authority = await createAuthority(directory);
  const serverRequest = {
    commonName: 'kube-apiserver',
    addresses,
    names: apiServerNames,
  };
  const kubeletClientRequest = { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] };
  await Promise.all([
    authority.issue(serverFile, serverRequest),
    authority.issue(kubeletClientFile, kubeletClientRequest),
    createServiceAccountKey(directory),
  ]);
  return existingKeys(directory);
}

/** The keys that createKeys() has put into `directory`. */
export function existingKeys(directory: string): ControlPlaneKeys {
  return {
    authority: existingAuthority(directory),
    server: certificatePaths(directory, serverFile),
    kubeletClient: certificatePaths(directory, kubeletClientFile),
    serviceAccount: serviceAccountKey(directory),
  };
}
