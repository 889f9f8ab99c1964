/**
 * The operator's way to write an object: what came of it is known at once, and so is what the object is by now where
 * the write came too late.
 */
import type { ApiResource } from '../api/resources.ts';
import { isConflict, isNotFound } from '../kube/apiError.ts';
import type { KubeClient, SendOptions } from '../kube/client.ts';
import { sendDecided } from '../kube/retryOnConflict.ts';
import type { Logger } from '../observability/logger.ts';
import type { AnsweredObject, KnownObjects } from './knownObjects.ts';
import type { OperatorMetrics } from './operatorMetrics.ts';

export interface ObjectWriterOptions {
  readonly client: KubeClient;
  readonly logger: Logger;
  readonly metrics: Pick<OperatorMetrics, 'writeConflicts'>;
  /** Something is known now that was not before. */
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

export class ObjectWriter {
  readonly #options: ObjectWriterOptions;

  constructor(options: ObjectWriterOptions) {
    this.#options = options;
  }

  /**
   * Sends the write. Where the object was changed, made or deleted since it was decided on, it is read anew and a
   * conflict is thrown, so that everything is decided anew.
   */
  async write(kind: WrittenKind, name: string, { method, path, options }: ObjectWrite): Promise<void> {
    const { client, logger, metrics } = this.#options;
    try {
      this.#learn(kind, await sendDecided(client, method, path, options));
    } catch (error) {
      if (isConflict(error)) {
        metrics.writeConflicts.inc({ resource: kind.plural });
        logger.debug('a write came too late', { resource: kind.plural, name, error });
        await this.#readAnew(kind, name);
      }
      throw error;
    }
  }

  async #readAnew(kind: WrittenKind, name: string): Promise<void> {
    try {
      this.#learn(kind, await this.#options.client.get(`${kind.path}/${name}`));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (kind.objects.keep({ name, resourceVersion: '' })) this.#options.onChange();
    }
  }

  #learn({ objects }: WrittenKind, answer: AnsweredObject): void {
    if (objects.learn(answer)) this.#options.onChange();
  }
}
