/**
 * Writes objects of the operator: the response is known at once, and so is what the object is by now where the write
 * met a conflict.
 */
import type { ApiResource } from '../../api/resources.ts';
import { isConflict, isNotFound } from '../../kube/apiError.ts';
import type { KubeClient, SendOptions } from '../../kube/client.ts';
import { sendDecided } from '../../kube/retryOnConflict.ts';
import type { Logger } from '../../observability/logger.ts';
import type { ResponseObject, KnownObjects } from '../watch/knownObjects.ts';
import type { OperatorMetrics } from '../operatorMetrics.ts';

export interface ObjectWriterOptions {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly metrics: Pick<OperatorMetrics, 'writeConflicts'>;
  /** Called when a response has changed what is known of an object. */
  readonly onChange: () => void;
}

/** Objects of one kind: where they are on the API server, and what is known of them. */
export interface WrittenKind extends Pick<ApiResource, 'plural' | 'path'> {
  readonly objects: KnownObjects<unknown>;
}

/** One request to make or change an object, as data. */
export interface ObjectWrite {
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly options: SendOptions;
}

/** May be called many times at once; the writes are independent. */
export class ObjectWriter {
  readonly #options: ObjectWriterOptions;

  constructor(options: ObjectWriterOptions) {
    this.#options = options;
  }

  /**
   * Sends the write; what the object is then is known. Where it was changed, made or deleted since it was decided on,
   * it is counted and read anew, and a conflict (`isConflict`) is thrown, so that everything is decided anew. Every
   * other ApiError is thrown as it is.
   */
  async write(kind: WrittenKind, name: string, { method, path, options }: ObjectWrite): Promise<void> {
    const { client, logger, metrics } = this.#options;
    try {
      this.#observe(kind, await sendDecided(client, method, path, options));
    } catch (error) {
      if (isConflict(error)) {
        metrics.writeConflicts.inc({ resource: kind.plural });
        logger.debug('a write met a conflict', { resource: kind.plural, name, error });
        await this.#readAnew(kind, name);
      }
      throw error;
    }
  }

  async #readAnew(kind: WrittenKind, name: string): Promise<void> {
    try {
      this.#observe(kind, await this.#options.client.get(`${kind.path}/${name}`));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (kind.objects.observe({ name, resourceVersion: '' })) this.#options.onChange();
    }
  }

  #observe({ objects }: WrittenKind, response: ResponseObject): void {
    if (objects.observeResponse(response)) this.#options.onChange();
  }
}
