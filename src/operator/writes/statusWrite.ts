/**
 * Writes a ProxyConfig's status: what became of it.
 */
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { apiVersion, proxyConfigResource, statusPath } from '../../api/resources.ts';
import type { SendOptions } from '../../kube/client.ts';
import { fieldManager } from './nodeWrite.ts';

/** One request, as data. */
export interface StatusWrite {
  readonly method: 'PATCH';
  readonly path: string;
  readonly options: SendOptions;
}

/**
 * Applies the status server-side, tied to the object that it was computed from: one that was decided on old knowledge
 * is refused instead of undoing a newer one. It takes over what other field managers own of the status.
 */
export function statusWrite({ metadata }: ProxyConfig, status: object): StatusWrite {
  const { name, resourceVersion } = metadata;
  return {
    method: 'PATCH',
    path: statusPath(proxyConfigResource, name),
    options: {
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager, force: true },
      body: { apiVersion, kind: proxyConfigResource.kind, metadata: { name, resourceVersion }, status },
    },
  };
}
