/** A client whose watches can all be cut; who wants to watch again waits until they are mended. */
import { once } from 'node:events';
import { isGone } from '../../src/kube/apiError.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { WatchEvent } from '../../src/kube/watchLines.ts';

export interface CutWatches {
  readonly client: KubeClient;
  /** Paths of the watches that were cut, and of those that the API server has answered by 410 since. */
  readonly cut: ReadonlySet<string>;
  readonly gone: ReadonlySet<string>;
  cutAll(): void;
  mend(): void;
}

export function cutWatches(client: KubeClient): CutWatches {
  const cut = new Set<string>();
  const gone = new Set<string>();
  const scissors = new AbortController();
  const mended = Promise.withResolvers<void>();

  async function* watch(...[path, query, signal]: Parameters<KubeClient['watch']>): AsyncGenerator<WatchEvent> {
    if (scissors.signal.aborted) {
      await mendedOr(signal);
      yield* noting(path, client.watch(path, query, signal));
      return;
    }
    yield* client.watch(path, query, AbortSignal.any([signal, scissors.signal]));
    if (signal.aborted || !scissors.signal.aborted) return;
    cut.add(path);
    await mendedOr(signal);
  }

  /** Who is to stop does not wait for more. */
  const mendedOr = (signal: AbortSignal): Promise<unknown> =>
    Promise.race([mended.promise, signal.aborted || once(signal, 'abort')]);

  /** A watch is refused by a status, or by the first thing that it says. */
  async function* noting(path: string, events: AsyncIterable<WatchEvent>): AsyncGenerator<WatchEvent> {
    try {
      for await (const event of events) {
        if (event.type === 'ERROR' && (event.object as { code?: number }).code === 410) gone.add(path);
        yield event;
      }
    } catch (error) {
      if (isGone(error)) gone.add(path);
      throw error;
    }
  }

  return { client: { ...client, watch }, cut, gone, cutAll: () => scissors.abort(), mend: () => mended.resolve() };
}
