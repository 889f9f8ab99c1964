/**
 * A conflict is no failure: somebody else was quicker, so what is to be written is decided anew from the object as it
 * now is. Every write that was decided on an object goes through here.
 *
 * The API server answers 409 in three cases, which need three things. `Conflict`: the object is not the one that
 * resourceVersion or uid of the write name, or changed all the time while it was written; decide anew. `AlreadyExists`:
 * another process made the object, or an earlier try did whose answer was lost; read it, and decide anew. `Conflict` of
 * field managers (server-side apply without `force`): waiting helps nothing, so it stays an error.
 */
import { ApiError, isAlreadyExists, isConflict, isNotFound } from './apiError.ts';
import { pause } from './backoff.ts';
import type { KubeClient } from './client.ts';

/** How often, and how far apart. */
export interface ConflictRetries {
  /** Max number of tries, the first included; default 5. */
  readonly steps?: number;
  /** Milliseconds from one try to the next, lengthened by up to a tenth; default 10. */
  readonly waitMs?: number;
  /** Ends the waiting: no other try begins. */
  readonly signal?: AbortSignal | undefined;
}

const never = new AbortController().signal;

/**
 * Runs `attempt` until it does not meet a conflict; each time it has to read, decide and write. Returns what it
 * returns. Throws its errors other than conflicts at once, and the last conflict after so many steps, or when the
 * signal has fired.
 *
 * Steps, wait and jitter are those of RetryOnConflict with DefaultRetry in k8s.io/client-go/util/retry (v0.36).
 */
export async function retryOnConflict<T>(
  attempt: () => Promise<T>,
  { steps = 5, waitMs = 10, signal = never }: ConflictRetries = {},
): Promise<T> {
  for (let step = 1; ; step += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error) || step >= steps) throw error;
      await pause(waitMs * (1 + Math.random() / 10), signal);
      if (signal.aborted) throw error;
    }
  }
}

/**
 * Sends a write that was decided on an object as it was read. Another that made the object meanwhile, or deleted it, is
 * a conflict, too: throws one then (`isConflict`), with the API server's ApiError as its cause. Returns the object in
 * the response; every other ApiError is thrown as it is.
 */
export async function sendDecided<T>(client: KubeClient, ...request: Parameters<KubeClient['send']>): Promise<T> {
  const [method, path] = request;
  try {
    return await client.send<T>(...request);
  } catch (error) {
    const isOvertaken = method === 'POST' ? isAlreadyExists(error) : isNotFound(error);
    if (!isOvertaken) throw error;
    const message = `${method} ${path}: the object was ${method === 'POST' ? 'made' : 'deleted'} meanwhile`;
    throw new ApiError({ status: 409, reason: 'Conflict', message }, { cause: error });
  }
}
