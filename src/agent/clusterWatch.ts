/**
 * Fills the store: what is watched, with which selectors, and which decoder each object goes through at once.
 */
import { decodeEndpointSlice } from '../model/decodeEndpointSlice.ts';
import { decodeNode } from '../model/decodeNode.ts';
import { decodeService } from '../model/decodeService.ts';
import type { EndpointSliceRecord } from '../model/endpointSlice.ts';
import type { Decoded } from '../model/fields.ts';
import type { NodeRecord } from '../model/node.ts';
import type { ServiceRecord } from '../model/service.ts';
import type { KubeClient } from '../kube/client.ts';
import { createReflector, type Reflector, type ReflectorHandler, type ReflectorTiming } from '../kube/reflector.ts';
import { isEligible } from './health.ts';
import type { Store } from './store.ts';

/** kube-proxy's own selector: headless Services and those of other proxies stay off the wire. */
const labelSelector = '!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless';

export interface ClusterWatchOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly store: Store;
  readonly onNode: (node: ObservedNode) => void;
  readonly onError: (resource: string, error: unknown, retryInMs: number) => void;
  readonly timing?: Partial<ReflectorTiming>;
}

export interface ObservedNode {
  /** undefined when the Node is gone, or cannot be read. */
  readonly record: NodeRecord | undefined;
  /** Whether load balancers may send new connections here. */
  readonly eligible: boolean;
}

export interface ClusterWatch {
  start(): void;
  /** Resolves when Services, EndpointSlices and the Node have all been listed. */
  readonly synced: Promise<void>;
  stop(): Promise<void>;
}

export function watchCluster({
  client,
  nodeName,
  store,
  onNode,
  onError,
  timing = {},
}: ClusterWatchOptions): ClusterWatch {
  const common = (resource: string) => ({
    client,
    timing,
    onError: (error: unknown, retryInMs: number) => onError(resource, error, retryInMs),
  });
  const services = createReflector<Decoded<ServiceRecord>>({
    ...common('services'),
    path: '/api/v1/services',
    query: { labelSelector },
    decode: (object) => ofInterest(decodeService(object)),
    handler: following(
      (key, decoded) => store.setService(key, decoded),
      (key) => store.removeService(key),
    ),
  });
  const slices = createReflector<Decoded<EndpointSliceRecord>>({
    ...common('endpointslices'),
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    query: { labelSelector },
    decode: (object) => ofInterest(decodeEndpointSlice(object)),
    handler: following(
      (key, decoded) => store.setSlice(key, decoded),
      (key) => store.removeSlice(key),
    ),
  });
  const node = createReflector<ObservedNode>({
    ...common('nodes'),
    path: '/api/v1/nodes',
    query: { fieldSelector: `metadata.name=${nodeName}` },
    decode: (object) => ({ record: decodeNode(object).record, eligible: isEligible(object) }),
    handler: following(
      (_key, observed) => onNode(observed),
      () => onNode({ record: undefined, eligible: false }),
    ),
  });
  const all: readonly Reflector[] = [services, slices, node];
  return {
    start: () => all.forEach((reflector) => reflector.start()),
    synced: Promise.all(all.map((reflector) => reflector.synced)).then(() => undefined),
    stop: async () => {
      await Promise.all(all.map((reflector) => reflector.stop()));
    },
  };
}

/** An object that is wrong is of interest too: it is told of until it is put right or gone. */
function ofInterest<Record>(decoded: Decoded<Record>): Decoded<Record> | undefined {
  return decoded.record === undefined && decoded.problems.length === 0 ? undefined : decoded;
}

function following<Item>(
  set: (key: string, item: Item) => void,
  remove: (key: string) => void,
): ReflectorHandler<Item> {
  return {
    onAdd: ({ key }, item) => set(key, item),
    onUpdate: ({ key }, item) => set(key, item),
    onDelete: ({ key }) => remove(key),
  };
}
