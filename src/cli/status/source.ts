/**
 * Keeps ProxyConfigs and NodeProxies as the API server has them, and reports when it does not answer.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import type { ObjectMeta } from '../../api/objectMeta.ts';
import { nodeProxyResource, proxyConfigResource } from '../../api/resources.ts';
import { isGone } from '../../kube/apiError.ts';
import type { KubeClient } from '../../kube/client.ts';
import { createReflector, type Reflector } from '../../kube/reflector.ts';
import type { StatusObjects } from './view.ts';

const paths = [proxyConfigResource.path, nodeProxyResource.path] as const;
/** A person waits: shorter than between machines. */
const timing = { reconnectMaxMs: 2000, retryMaxMs: 5000 };
/** From an error to the request that finds out whether it is over, and from one such request to the next. */
const recoveryCheckMs = 1000;

/** The objects that a status is made from, kept up to date. */
export interface StatusSource {
  /** Begins to list and watch. */
  start(): void;
  /** Resolves when everything has been listed. */
  readonly synced: Promise<void>;
  /** What is known now. */
  objects(): StatusObjects;
  /** Resolves when the listener is not called any more. */
  stop(): Promise<void>;
}

/** What a source calls. */
export interface StatusListener {
  /** An object is new, changed or gone. */
  onChange(): void;
  /** Each failed try; what is known stays. */
  onError(error: unknown): void;
  /** Both kinds can be read again after an error. */
  onRecovered(): void;
}

interface ApiObject {
  readonly metadata: ObjectMeta;
}

/** Without annotations and managedFields, which may be most of an object's size and are in no status. */
function withoutBulk<Item extends ApiObject>(object: Item): Item {
  const {
    annotations: _annotations,
    managedFields: _managedFields,
    ...metadata
  } = object.metadata as ObjectMeta & {
    readonly annotations?: unknown;
    readonly managedFields?: unknown;
  };
  return { ...object, metadata };
}

/** A source that does nothing before `start`. */
export function createStatusSource(client: KubeClient, listener: StatusListener): StatusSource {
  return new WatchedStatus(client, listener);
}

class WatchedStatus implements StatusSource {
  readonly synced: Promise<void>;
  readonly #client: KubeClient;
  readonly #listener: StatusListener;
  readonly #configs = new Map<string, ProxyConfig>();
  readonly #nodeProxies = new Map<string, NodeProxy>();
  readonly #reflectors: readonly Reflector[];
  #recoveryTimer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(client: KubeClient, listener: StatusListener) {
    this.#client = client;
    this.#listener = listener;
    this.#reflectors = [this.#reflect(paths[0], this.#configs), this.#reflect(paths[1], this.#nodeProxies)];
    this.synced = Promise.all(this.#reflectors.map((reflector) => reflector.synced)).then(() => undefined);
  }

  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
  }

  objects(): StatusObjects {
    return { configs: this.#configs.values(), nodeProxies: this.#nodeProxies.values() };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#recoveryTimer);
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  #reflect<Item extends ApiObject>(path: string, into: Map<string, Item>): Reflector {
    const keep = (key: string, item: Item): void => {
      into.set(key, item);
      this.#listener.onChange();
    };
    return createReflector<Item>({
      client: this.#client,
      path,
      decode: (object) => withoutBulk(object as Item),
      handler: {
        onAdd: ({ key }, item) => keep(key, item),
        onUpdate: ({ key }, item) => keep(key, item),
        onDelete: ({ key }) => {
          into.delete(key);
          this.#listener.onChange();
        },
      },
      onError: (error) => this.#failed(error),
      timing,
    });
  }

  #failed(error: unknown): void {
    if (isGone(error) || this.#isStopped) return;
    this.#listener.onError(error);
    this.#scheduleRecoveryCheck();
  }

  /** A watch that is open again brings nothing until something changes, so each kind is requested once. */
  #scheduleRecoveryCheck(): void {
    this.#recoveryTimer ??= setTimeout(() => void this.#checkRecovery(), recoveryCheckMs);
  }

  async #checkRecovery(): Promise<void> {
    try {
      await Promise.all(paths.map((path) => this.#client.get(path, { limit: 1 })));
      if (!this.#isStopped) this.#listener.onRecovered();
      this.#recoveryTimer = undefined;
    } catch {
      this.#recoveryTimer = undefined;
      if (!this.#isStopped) this.#scheduleRecoveryCheck();
    }
  }
}
