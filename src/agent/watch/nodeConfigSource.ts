/**
 * Watches this node's NodeProxy, by which the operator assigns a configuration to the node.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import { nodeProxyResource } from '../../api/resources.ts';
import { isForbidden, isNotFound } from '../../kube/apiError.ts';
import type { KubeClient } from '../../kube/client.ts';
import { createReflector, type ReflectorTiming } from '../../kube/reflector.ts';

export interface NodeConfigSource {
  /** To be called once. */
  start(): void;
  /**
   * Resolves when this node's NodeProxy is known, when NodeProxies are not served or forbidden to the agent, or after
   * `waitMs`; with `orAbsent` also when it is known that the node has none now.
   */
  first(options: { readonly waitMs: number; readonly orAbsent: boolean }): Promise<void>;
  /** Ends lists and watches; `onChange` is not called any more when it resolves. */
  stop(): Promise<void>;
}

export interface NodeConfigSourceOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  /** The NodeProxy was made, or its spec changed. Not called for its deletion, because a node keeps what it runs. */
  readonly onChange: (nodeProxy: NodeProxy) => void;
  /** A list or watch failed, and is tried again. */
  readonly onError: (error: unknown, retryInMs: number) => void;
  readonly timing?: Partial<ReflectorTiming>;
}

/** Nothing is asked of the API server before `start`. */
export function createNodeConfigSource({
  client,
  nodeName,
  onChange,
  onError,
  timing = {},
}: NodeConfigSourceOptions): NodeConfigSource {
  const settled = Promise.withResolvers<void>();
  let known: { uid: string; generation: number | undefined } | undefined;
  const onNodeProxy = (uid: string, nodeProxy: NodeProxy): void => {
    const { generation } = nodeProxy.metadata;
    // The agent's own status writes come back as updates too; they do not change the generation.
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
      onAdd: ({ uid }, nodeProxy) => onNodeProxy(uid, nodeProxy),
      onUpdate: ({ uid }, nodeProxy) => onNodeProxy(uid, nodeProxy),
      onDelete: () => undefined,
    },
    onError: (error, retryInMs) => {
      // Without the CRD or the right to read it no NodeProxy will come: that is no reason to wait.
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
