/**
 * Fills the store: says what is watched, with which selectors, and which decoder each object goes through at once.
 */
import { decodeEndpointSlice } from '../../model/decodeEndpointSlice.ts';
import { decodeNode } from '../../model/decodeNode.ts';
import { decodeService } from '../../model/decodeService.ts';
import type { EndpointSliceRecord } from '../../model/endpointSlice.ts';
import type { Decoded } from '../../model/fields.ts';
import type { NodeRecord } from '../../model/node.ts';
import type { ServiceRecord } from '../../model/service.ts';
import type { KubeClient } from '../../kube/client.ts';
import { createReflector, type Reflector, type ReflectorHandler, type ReflectorTiming } from '../../kube/reflector.ts';
import { isEligible } from '../healthcheck/health.ts';
import type { Store } from './store.ts';

/** kube-proxy's own selector: headless Services and those of other proxies stay off the wire. */
const labelSelector = '!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless';

export interface ClusterWatchOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly store: Store;
  /** The agent's Node was added or changed; undefined: it was deleted. */
  readonly onNode: (node: ObservedNode | undefined) => void;
  /** A list or watch failed, and is tried again. `resource` is the plural of the kind. */
  readonly onError: (resource: string, error: unknown, retryInMs: number) => void;
  readonly timing?: Partial<ReflectorTiming>;
}

export interface ObservedNode {
  /** undefined when the Node cannot be read. */
  readonly record: NodeRecord | undefined;
  /** Whether load balancers may send new connections here. */
  readonly isEligible: boolean;
}

export interface ClusterWatch {
  /** To be called once. */
  start(): void;
  /** Resolves when Services, EndpointSlices and the Node have all been listed. */
  readonly synced: Promise<void>;
  /** Ends lists and watches; resolves when the store is no longer written. */
  stop(): Promise<void>;
}

/** Nothing is asked of the API server before `start`. */
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
    decode: (object) => unlessIgnored(decodeService(object)),
    handler: handlerOf(
      (key, decoded) => store.setService(key, decoded),
      (key) => store.removeService(key),
    ),
  });
  const slices = createReflector<Decoded<EndpointSliceRecord>>({
    ...common('endpointslices'),
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    query: { labelSelector },
    decode: (object) => unlessIgnored(decodeEndpointSlice(object)),
    handler: handlerOf(
      (key, decoded) => store.setSlice(key, decoded),
      (key) => store.removeSlice(key),
    ),
  });
  const node = createReflector<ObservedNode>({
    ...common('nodes'),
    path: '/api/v1/nodes',
    query: { fieldSelector: `metadata.name=${nodeName}` },
    decode: (object) => ({ record: decodeNode(object).record, isEligible: isEligible(object) }),
    handler: handlerOf(
      (_key, observed) => onNode(observed),
      () => onNode(undefined),
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

/** An object that is invalid is kept too: it is reported until it is corrected or gone. */
function unlessIgnored<Record>(decoded: Decoded<Record>): Decoded<Record> | undefined {
  return decoded.record === undefined && decoded.problems.length === 0 ? undefined : decoded;
}

function handlerOf<Item>(
  set: (key: string, item: Item) => void,
  remove: (key: string) => void,
): ReflectorHandler<Item> {
  return {
    onAdd: ({ key }, item) => set(key, item),
    onUpdate: ({ key }, item) => set(key, item),
    onDelete: ({ key }) => remove(key),
  };
}
