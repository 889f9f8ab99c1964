/**
 * The base class of the operator: the only file that knows @dot-i/k8s-operator.
 *
 * What the library's class brings is its frame: init, start, stop, watchResource. What it does badly is overridden here
 * (seen in 1.3.9): a watch error ends the process, a watch starts anew without a resourceVersion and so loses deletes,
 * and errors of status and finalizer writes are swallowed.
 */
import operatorModule, { type ResourceEvent } from '@dot-i/k8s-operator';
import type { KubeClient } from '../kube/client.ts';
import { createReflector, type Reflector } from '../kube/reflector.ts';
import type { Logger } from '../observability/logger.ts';
import type { ObservedObject } from './watch/knownObjects.ts';
import { decodedObjectOf, deletedObjectOf, metaOf } from './watch/watchedObject.ts';

export interface OperatorBaseOptions {
  readonly client: KubeClient;
  readonly logger: Logger;
  /** A list or watch failed, and is tried again. `resource` is the plural of its kind. */
  readonly onWatchError: (resource: string) => void;
}

/** Objects of one kind; `group` is empty for the core group, and without a namespace those of all are watched. */
export interface WatchedResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
}

/** What a watch brought of one object; without `record`, that it is deleted or of no interest any more. */
export interface WatchedObject<Kept> extends ObservedObject<Kept> {
  readonly uid: string;
}

/** What is kept of an object; undefined for nothing. */
type Decode<Kept> = (object: unknown) => Kept | undefined;

type OnEvent = (event: ResourceEvent) => Promise<void>;
type ApiObject = ResourceEvent['object'];

const { ResourceEventType } = operatorModule;
const noFinalizer = 'no finalizer stands on a ProxyConfig: deleting one never removes a rule';

/** Watches kinds, each by a reflector of its own; a subclass says in `init` which. */
export abstract class OperatorBase extends operatorModule.default {
  readonly #options: OperatorBaseOptions;
  readonly #reflectors: Reflector[] = [];
  /** By path. */
  readonly #decoders = new Map<string, Decode<unknown>>();

  constructor(options: OperatorBaseOptions) {
    super(options.logger);
    this.#options = options;
  }

  /**
   * Calls `observe` for each object of the first list and then for each change; equal objects of a later list are left
   * out, and those of which `decode` keeps nothing. Resolves when the first list has been handed over; never rejects, but
   * tries again. Goes on until `stopWatching`. To be called once for a kind.
   */
  protected watch<Kept>(
    { group, version, plural, namespace }: WatchedResource,
    decode: Decode<Kept>,
    observe: (observed: WatchedObject<Kept>) => void,
  ): Promise<void> {
    this.#decoders.set(this.getCustomResourceApiUri(group, version, plural, namespace), decode);
    return this.watchResource(group, version, plural, async (event) => observe(observedOf(event)), namespace);
  }

  /** Ends every watch; resolves when nothing is handed over any more. */
  protected async stopWatching(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  // oxlint-disable-next-line max-params -- the base class's signature
  protected override async watchResource(
    group: string,
    version: string,
    plural: string,
    onEvent: OnEvent,
    namespace?: string,
  ): Promise<void> {
    const { client, logger, onWatchError } = this.#options;
    const id = group === '' ? plural : `${plural}.${group}`;
    const notify = (type: ResourceEvent['type'], object: ApiObject): void => {
      onEvent({ type, object, meta: metaOf(id, object) }).catch((cause: unknown) =>
        logger.error('cannot decode an object', { id, error: cause }),
      );
    };
    const path = this.getCustomResourceApiUri(group, version, plural, namespace);
    const decode = this.#decoders.get(path) ?? ((object) => object);
    const reflector = createReflector<ApiObject>({
      client,
      path,
      decode: (object) => {
        const record = decode(object);
        return record === undefined ? undefined : decodedObjectOf(object as ApiObject, record);
      },
      handler: {
        onAdd: (_id, object) => notify(ResourceEventType.Added, object),
        onUpdate: (_id, object) => notify(ResourceEventType.Modified, object),
        onDelete: (identity) => notify(ResourceEventType.Deleted, deletedObjectOf(identity)),
      },
      onError: (cause, retryInMs) => {
        onWatchError(plural);
        logger.warn('watching failed', { id, error: cause, retryInMs });
      },
    });
    this.#reflectors.push(reflector);
    reflector.start();
    await reflector.synced;
  }

  /**
   * The path on the API server; unlike upstream's also for the core group, and without the server's address, which is
   * the client's.
   */
  protected override getCustomResourceApiUri(
    group: string,
    version: string,
    plural: string,
    namespace?: string,
  ): string {
    const prefix = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    return namespace === undefined ? `${prefix}/${plural}` : `${prefix}/namespaces/${namespace}/${plural}`;
  }

  protected override setResourceStatus(): Promise<never> {
    return unused('setResourceStatus', 'a status is tied to the object that it was computed from: statusWrite.ts');
  }

  protected override patchResourceStatus(): Promise<never> {
    return unused('patchResourceStatus', 'a status is applied as a whole: statusWrite.ts');
  }

  protected override handleResourceFinalizer(): Promise<never> {
    return unused('handleResourceFinalizer', noFinalizer);
  }

  protected override setResourceFinalizers(): Promise<never> {
    return unused('setResourceFinalizers', noFinalizer);
  }

  protected override registerCustomResourceDefinition(): Promise<never> {
    return unused('registerCustomResourceDefinition', 'kubectl apply -k installs the CRDs; the operator may not');
  }
}

/** `Kept` is what the decoder of the kind makes. */
function observedOf<Kept>({ meta: { name, resourceVersion }, object }: ResourceEvent): WatchedObject<Kept> {
  const { metadata, record } = object as ApiObject & { readonly record?: Kept };
  return { name, uid: metadata?.uid ?? '', resourceVersion, record };
}

function unused(method: string, instead: string): Promise<never> {
  return Promise.reject(new Error(`${method} is not used: ${instead}`));
}
