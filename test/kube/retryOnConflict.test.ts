import { beforeEach, describe, expect, test } from '@jest/globals';
import { ApiError, isConflict } from '../../src/kube/apiError.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { createEventRecorder } from '../../src/kube/events.ts';
import { retryOnConflict, sendDecided } from '../../src/kube/retryOnConflict.ts';

const refusal = (status: number, reason: string): ApiError => new ApiError({ status, reason, message: reason });
const conflict = (): ApiError => refusal(409, 'Conflict');

describe('retryOnConflict', () => {
  let triedAt: number[];

  beforeEach(() => void (triedAt = []));

  /** Meets these errors one after the other, and then none. */
  function attempt(...errors: readonly ApiError[]): () => Promise<string> {
    const left = errors.values();
    return async () => {
      triedAt.push(performance.now());
      const { value } = left.next();
      if (value !== undefined) throw value;
      return 'written';
    };
  }

  test('gives what the first try without a conflict gives', async () => {
    expect(await retryOnConflict(attempt(conflict(), conflict(), conflict(), conflict()))).toBe('written');
    expect(triedAt).toHaveLength(5);
  });

  test('the fifth conflict is thrown', async () => {
    const conflicts = Array.from({ length: 9 }, conflict);
    await expect(retryOnConflict(attempt(...conflicts))).rejects.toBe(conflicts[4]);
    expect(triedAt).toHaveLength(5);
  });

  test('waits between two tries as long as it is asked to', async () => {
    await retryOnConflict(attempt(conflict(), conflict(), conflict()), { waitMs: 50 });
    const waits = triedAt.slice(1).map((at, index) => at - (triedAt[index] ?? 0));
    expect(waits).toHaveLength(3);
    // A timer may fire up to a millisecond early.
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(49);
  });

  test.each([
    refusal(403, 'Forbidden'),
    refusal(404, 'NotFound'),
    refusal(409, 'AlreadyExists'),
    refusal(409, 'FieldManagerConflict'),
    refusal(429, 'TooManyRequests'),
    refusal(0, 'Unreachable'),
  ])('$reason is thrown at once', async (error) => {
    await expect(retryOnConflict(attempt(error))).rejects.toBe(error);
    expect(triedAt).toHaveLength(1);
  });

  test('begins no other try after the signal', async () => {
    const stop = new AbortController();
    const error = conflict();
    const trying = retryOnConflict(attempt(error), { waitMs: 60_000, signal: stop.signal });
    stop.abort();
    await expect(trying).rejects.toBe(error);
    expect(triedAt).toHaveLength(1);
  });
});

/** Answers its writes one after the other with these; undefined is a success. */
function answering(...answers: readonly (ApiError | undefined)[]): KubeClient {
  const left = answers.values();
  const send = async (): Promise<object> => {
    const { value, done } = left.next();
    if (done === true) throw new Error('a write that nobody expects');
    if (value !== undefined) throw value;
    return {};
  };
  return { send } as unknown as KubeClient;
}

describe('sendDecided', () => {
  test.each([
    { method: 'POST', error: refusal(409, 'AlreadyExists'), isLate: true },
    { method: 'PUT', error: refusal(404, 'NotFound'), isLate: true },
    { method: 'PATCH', error: refusal(404, 'NotFound'), isLate: true },
    { method: 'PATCH', error: conflict(), isLate: true },
    { method: 'POST', error: refusal(404, 'NotFound'), isLate: false },
    { method: 'PATCH', error: refusal(409, 'FieldManagerConflict'), isLate: false },
    { method: 'PATCH', error: refusal(422, 'Invalid'), isLate: false },
  ] as const)('$method, $error.reason: a conflict: $isLate', async ({ method, error, isLate }) => {
    const thrown = await sendDecided(answering(error), method, '/things').catch((cause: unknown) => cause);
    expect(isConflict(thrown)).toBe(isLate);
    expect([thrown, (thrown as ApiError).cause]).toContain(error);
  });
});

describe('createEventRecorder', () => {
  test('an event that other creations got in the way of is created', async () => {
    const lost: unknown[] = [];
    const recorder = createEventRecorder({
      client: answering(conflict(), undefined),
      controller: 'proxyconfig.dev/test',
      instance: 'test-1',
      onError: (error) => lost.push(error),
    });
    const regarding = { apiVersion: 'v1', kind: 'Namespace', name: 'default' };
    await recorder.record({ regarding, type: 'Normal', reason: 'Tested', action: 'Test', note: 'it was tested' });
    expect(lost).toEqual([]);
  });
});
