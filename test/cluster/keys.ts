import { mkdir } from 'node:fs/promises'
import { createAuthority, createServiceAccountKey } from './certificates.ts'
import { apiServerNames, apiServerServiceAddresses } from './controlPlane.ts'
import type { ControlPlaneKeys } from './controlPlane.ts'

/** All that a control plane reached at `addresses` needs to prove who it is. */
export async function createKeys(directory: string, addresses: readonly string[]): Promise<ControlPlaneKeys> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const authority = await createAuthority(directory)
  const serverRequest = { commonName: 'kube-apiserver', addresses: [...addresses, ...apiServerServiceAddresses], names: apiServerNames }
  const kubeletClientRequest = { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }
  const [server, kubeletClient, serviceAccount] = await Promise.all([
    authority.issue('apiserver', serverRequest),
    authority.issue('apiserver-kubelet-client', kubeletClientRequest),
    createServiceAccountKey(directory),
  ])
  return { authority, server, kubeletClient, serviceAccount }
}
