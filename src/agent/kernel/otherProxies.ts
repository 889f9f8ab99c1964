/**
 * Other proxies on this node: whether one runs, and what one may have left that no mode of this program takes away.
 */
import { leftoversOfUnavailable } from '../../backend/registry.ts';
import { readListeningSockets } from '../../system/listeningSockets.ts';
import type { OtherProxies } from '../dataplane/leftoversRemoval.ts';

/** On which kube-proxy listens where it is not told otherwise: /healthz, and /metrics. The agent does, too. */
const kubeProxyPorts: readonly number[] = [10_256, 10_249];

export const otherProxies: OtherProxies = { findRunning: findKubeProxy, leftovers: leftoversOfUnavailable() };

/**
 * The port of kube-proxy that another process than this one listens on, in words for a status; undefined where there
 * is none. A container does not see the node's processes, but the sockets of its network. Never throws.
 */
async function findKubeProxy(): Promise<string | undefined> {
  const sockets = await readListeningSockets();
  const port = kubeProxyPorts.find((each) =>
    sockets.some((socket) => socket.protocol === 'TCP' && socket.port === each && !socket.isOwn),
  );
  return port === undefined ? undefined : `it listens on port ${port}`;
}
