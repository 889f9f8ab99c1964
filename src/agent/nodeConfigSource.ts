/**
 * Follows the one NodeProxy that is this node's: the operator's word on what to run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProxy } from '../api/generated/nodeProxy.ts';
import { nodeProxyResource } from '../api/resources.ts';
import { isForbidden, isNotFound } from '../kube/apiError.ts';
import type { KubeClient } from '../kube/client.ts';
import { createReflector, type ReflectorTiming } from '../kube/reflector.ts';

export interface NodeConfigSource {
  start(): void;
  /**
   * Resolves when this node's NodeProxy is known, when it is clear that nobody configures nodes here, or when the time
   * is over; with `orAbsent` also when it is known that there is none now.
   */
  first(options: { readonly waitMs: number; readonly orAbsent: boolean }): Promise<void>;
  stop(): Promise<void>;
}

export interface NodeConfigSourceOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  /** A NodeProxy that is new, or whose spec is; its deletion is not told, because a node keeps what it runs. */
  readonly onChange: (nodeProxy: NodeProxy) => void;
  readonly onError: (error: unknown, retryInMs: number) => void;
  readonly timing?: Partial<ReflectorTiming>;
}

export function createNodeConfigSource({
  client,
  nodeName,
  onChange,
  onError,
  timing = {},
}: NodeConfigSourceOptions): NodeConfigSource {
  const settled = Promise.withResolvers<void>();
  let known: { uid: string; generation: number | undefined } | undefined;
  const take = (uid: string, nodeProxy: NodeProxy): void => {
    const { generation } = nodeProxy.metadata;
    // Our own status writes come back as updates too.
    if (known?.uid === uid && known.generation === generation) return;
    known = { uid, generation };
    settled.resolve();
    onChange(nodeProxy);
  };
  const reflector = createReflector<NodeProxy>({
    client,
    path: nodeProxyResource.path,
    query: { fieldSelector: `metadata.name=${nodeName}` },
    decode: (object) => object as NodeProxy,
    handler: {
      onAdd: ({ uid }, nodeProxy) => take(uid, nodeProxy),
      onUpdate: ({ uid }, nodeProxy) => take(uid, nodeProxy),
      onDelete: () => undefined,
    },
    onError: (error, retryInMs) => {
      // The kind is not served, or not to be seen by us: nobody configures nodes here, and that is no reason to wait.
      if (isNotFound(error) || isForbidden(error)) settled.resolve();
      onError(error, retryInMs);
    },
    timing,
  });
  return {
    start: () => reflector.start(),
    stop: () => reflector.stop(),
    first: async ({ waitMs, orAbsent }) => {
      const listed = orAbsent ? [reflector.synced] : [];
      await Promise.race([settled.promise, ...listed, sleep(waitMs, undefined, { ref: false })]);
    },
  };
}
