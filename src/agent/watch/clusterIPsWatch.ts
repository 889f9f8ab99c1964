/**
 * Watches where cluster IPs come from: ServiceCIDRs, and the Services that another proxy serves, which the agent's own
 * list leaves out.
 *
 * What is not known is nowhere taken for absent. Until both have been listed the store has no ranges; a list or a watch
 * that fails later changes nothing. An API server that does not serve the kind (it is in v1 from Kubernetes 1.33 on), or
 * does not allow it, is no failure: there are no ranges then.
 */
import { isForbidden, isNotFound } from '../../kube/apiError.ts';
import type { KubeClient } from '../../kube/client.ts';
import { createReflector, type ReflectorHandler, type ReflectorTiming } from '../../kube/reflector.ts';
import { foreignClusterIPs } from '../../model/decodeService.ts';
import { decodeServiceCIDR } from '../../model/decodeServiceCIDR.ts';
import type { Problem } from '../../model/fields.ts';
import type { Logger } from '../../observability/logger.ts';
import type { ApiErrorObserver } from './apiErrors.ts';
import type { Store } from './store.ts';

export interface ClusterIPsWatchOptions {
  readonly client: KubeClient;
  readonly store: Pick<Store, 'setClusterIPs'>;
  readonly logger: Logger;
  /** A list or watch failed, and is tried again. Not called for a kind that is not served, or forbidden. */
  readonly onError: ApiErrorObserver;
  readonly timing?: Partial<ReflectorTiming>;
}

export interface ClusterIPsWatch {
  /** To be called once. */
  start(): void;
  /** Resolves when the ranges are known, or when a list of them failed; never rejects. */
  readonly settled: Promise<void>;
  /** Ends lists and watches; resolves when the store is no longer written. */
  stop(): Promise<void>;
}

const resource = 'servicecidrs';

/** A kind that an API server does not serve is asked for seldom, for there are many nodes. */
const retryMaxMs = 300_000;

/** Nothing is asked of the API server before `start`. */
export function watchClusterIPs({ client, store, logger, onError, timing }: ClusterIPsWatchOptions): ClusterIPsWatch {
  const settled = Promise.withResolvers<void>();
  const onFailure = (kind: string, error: unknown, retryInMs: number): void => {
    settled.resolve();
    if (isNotFound(error) || isForbidden(error))
      logger.debug('unused cluster IPs are let be: no ServiceCIDRs to be had', { resource: kind, error, retryInMs });
    else onError(kind, error, retryInMs);
  };
  const known = new KnownClusterIPs(store);
  const ranges = createReflector<readonly string[]>({
    client,
    path: `/apis/networking.k8s.io/v1/${resource}`,
    decode: (object) => {
      const { record, problems } = decodeServiceCIDR(object);
      const [first] = problems;
      if (first !== undefined) logger.warn('a ServiceCIDR is not valid and is let be', inWords(first));
      return record?.networks;
    },
    handler: known.handlerOf(known.networks),
    onError: (error, retryInMs) => onFailure(resource, error, retryInMs),
    timing: { retryMaxMs, ...timing },
  });
  const foreign = createReflector<readonly string[]>({
    client,
    path: '/api/v1/services',
    query: { labelSelector: 'service.kubernetes.io/service-proxy-name' },
    decode: foreignClusterIPs,
    handler: known.handlerOf(known.foreign),
    onError: (error, retryInMs) => onFailure('services', error, retryInMs),
    ...(timing && { timing }),
  });
  const listed = async (): Promise<void> => {
    await ranges.synced;
    foreign.start();
    await foreign.synced;
    known.publish();
    settled.resolve();
  };
  return {
    start: () => {
      ranges.start();
      void listed();
    },
    settled: settled.promise,
    stop: async () => {
      await Promise.all([ranges.stop(), foreign.stop()]);
    },
  };
}

function inWords({ field, message, remedy }: Problem): Readonly<Record<string, string>> {
  return { problem: `${field} ${message}; ${remedy}` };
}

type ByObject = Map<string, readonly string[]>;

const sorted = (known: ByObject): readonly string[] => [...known.values()].flat().sort();

/** What was heard of, by object; written to the store from `publish` on. */
class KnownClusterIPs {
  readonly networks: ByObject = new Map();
  readonly foreign: ByObject = new Map();
  readonly #store: Pick<Store, 'setClusterIPs'>;
  #isPublished = false;
  #isDue = false;

  constructor(store: Pick<Store, 'setClusterIPs'>) {
    this.#store = store;
  }

  handlerOf(known: ByObject): ReflectorHandler<readonly string[]> {
    const set = ({ key }: { readonly key: string }, item: readonly string[]): void => {
      known.set(key, item);
      this.#change();
    };
    return {
      onAdd: set,
      onUpdate: set,
      onDelete: ({ key }) => {
        known.delete(key);
        this.#change();
      },
    };
  }

  publish(): void {
    this.#isPublished = true;
    this.#store.setClusterIPs({ networks: sorted(this.networks), foreign: sorted(this.foreign) });
  }

  /** The objects of a page are one change. */
  #change(): void {
    if (!this.#isPublished || this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.publish();
    });
  }
}
