/**
 * Sends the writes of NodeProxies, many at once.
 */
import { isConflict, isOverloaded } from '../../kube/apiError.ts';
import type { NodeWrite } from './nodeWrite.ts';

/** How `writeNodes` sends. */
export interface WriteOptions {
  /** Sends one; rejects with the ApiError. */
  readonly send: (write: NodeWrite) => Promise<void>;
  /** How many requests at once; 5,000 nodes must not become 5,000 open requests. */
  readonly concurrency: number;
  /** Milliseconds after the first request from which none begins: by then what was decided on has changed. */
  readonly maxMs: number;
}

/**
 * Sends as many writes as there is time for, also after one failed, until the API server is overloaded (429). Resolves
 * when no request is under way any more. Throws an AggregateError of those that failed; where none did, but some met a
 * conflict, the first of these conflicts.
 */
export async function writeNodes(
  writes: readonly NodeWrite[],
  { send, concurrency, maxMs }: WriteOptions,
): Promise<void> {
  const queue = writes.values();
  const failures: Error[] = [];
  const conflicts: unknown[] = [];
  const until = performance.now() + maxMs;
  let isRefused = false;
  const worker = async (): Promise<void> => {
    for (const write of queue) {
      if (isRefused || performance.now() > until) return;
      try {
        await send(write);
      } catch (cause) {
        isRefused ||= isOverloaded(cause);
        if (isConflict(cause)) conflicts.push(cause);
        else failures.push(new Error(`cannot write NodeProxy ${write.node}`, { cause }));
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} of ${writes.length} NodeProxies were refused`);
  if (conflicts.length > 0) throw conflicts[0];
}
