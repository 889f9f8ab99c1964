/**
 * @module A way to the API server on which writes come too late: others are let in between the read of an object and
 * the write of it.
 */
import { isAlreadyExists, isConflict, isNotFound } from '../../src/kube/apiError.ts';
import type { KubeClient } from '../../src/kube/client.ts';

type Request = Parameters<KubeClient['send']>;

export interface WritesOf {
  readonly method: Request[0];
  readonly path: RegExp;
}

/** What others do before a write arrives, of which they may see what it is. */
export type Others = (...request: Request) => Promise<unknown>;

export class LateWrites {
  /** When writes were refused because they came too late, by this process's monotonic clock. */
  readonly refusedAt: number[] = [];
  #before: Others = async () => undefined;

  /** The same as a client of this one, but its writes come too late where a test says so. */
  client(prompt: KubeClient): KubeClient {
    return {
      ...prompt,
      send: async (...request) => {
        await this.#before(...request);
        return prompt.send<never>(...request).catch((error: unknown) => {
          const isLate = isConflict(error) || isAlreadyExists(error) || isNotFound(error);
          if (isLate) this.refusedAt.push(performance.now());
          throw error;
        });
      },
    };
  }

  /** Instead of what was said before: the next writes like these come too late. Resolves after the last of them. */
  next(times: number, { method, path }: WritesOf, others: Others): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let left = times;
    this.#before = async (...request) => {
      if (request[0] !== method || !path.test(request[1]) || left === 0) return;
      left -= 1;
      await others(...request);
      if (left === 0) resolve();
    };
    return promise;
  }

  none(): void {
    this.#before = async () => undefined;
  }
}

/** Changes nothing but the object's resourceVersion. */
export function annotate(client: KubeClient, path: string): Promise<unknown> {
  return client.send('PATCH', path, {
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { 'somebody.else/was-here': `${performance.now()}` } } },
  });
}
