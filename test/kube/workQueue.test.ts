import { afterEach, describe, expect, test } from '@jest/globals';
import { ApiError } from '../../src/kube/apiError.ts';
import { createWorkQueue, type WorkQueue, type WorkQueueOptions } from '../../src/kube/workQueue.ts';
import { until } from '../support/until.ts';

let queue: WorkQueue | undefined;
afterEach(() => queue?.stop());

function start(options: WorkQueueOptions): WorkQueue {
  queue = createWorkQueue({ retryMinMs: 5, retryMaxMs: 20, ...options });
  return queue;
}

describe('WorkQueue', () => {
  test('a key that is added often while it waits is reconciled once, and once more when added meanwhile', async () => {
    const calls: string[] = [];
    const gate = Promise.withResolvers<void>();
    const work = start({
      reconcile: async (key) => {
        calls.push(key);
        await gate.promise;
        return undefined;
      },
    });
    for (const key of ['a', 'b', 'b', 'b', 'a']) work.add(key);
    await until('the first reconciliation has begun', () => calls.length === 1);
    gate.resolve();
    await until('all had their calls', () => calls.length === 3);
    expect(calls).toEqual(['a', 'b', 'a']);
  });

  test('several workers never work on one key at the same time', async () => {
    const active = new Set<string>();
    const clashes: string[] = [];
    let calls = 0;
    const work = start({
      workers: 3,
      reconcile: async (key) => {
        if (active.has(key)) clashes.push(key);
        active.add(key);
        await new Promise((resolve) => setImmediate(resolve));
        active.delete(key);
        calls += 1;
        return calls < 20 ? 0 : undefined;
      },
    });
    for (const key of ['a', 'b', 'a', 'c', 'b']) work.add(key);
    await until('twenty calls', () => calls >= 20);
    expect(clashes).toEqual([]);
  });

  test('an error is retried with a growing wait, a terminal one is not', async () => {
    const waits: (number | undefined)[] = [];
    let calls = 0;
    const work = start({
      reconcile: () => {
        calls += 1;
        return Promise.reject(new Error(calls < 4 ? 'try again' : 'hopeless'));
      },
      isTerminal: (error) => (error as Error).message === 'hopeless',
      onError: (_key, _error, wait) => waits.push(wait),
    });
    work.add('a');
    await until('the terminal error', () => waits.length === 4);
    expect(waits[3]).toBeUndefined();
    expect(waits[2]).toBeGreaterThan(waits[0] ?? Infinity);
    expect(calls).toBe(4);
  });

  test('a delayed key waits, unless it is added again with a shorter delay', async () => {
    const calls: string[] = [];
    const work = start({
      reconcile: (key) => {
        calls.push(key);
        return Promise.resolve(undefined);
      },
    });
    work.add('a', 60_000);
    work.add('b', 60_000);
    work.add('b', 1);
    await until('b was reconciled', () => calls.length > 0);
    expect(calls).toEqual(['b']);
  });

  test('stop waits for the running reconciliation and takes no more keys', async () => {
    const calls: string[] = [];
    let ended = false;
    const work = start({
      reconcile: async (key, signal) => {
        calls.push(key);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        ended = true;
        return 0;
      },
    });
    work.add('a');
    work.add('b');
    await until('the first reconciliation has begun', () => calls.length === 1);
    await work.stop();
    work.add('c');
    expect({ calls, ended }).toEqual({ calls: ['a'], ended: true });
  });

  test.each([0, 5])(
    'nothing is reconciled before the time that the API server asked for, whatever is added with a delay of %d ms meanwhile and afterwards',
    async (delayMs) => {
      const overloaded = new ApiError({ status: 429, reason: 'TooManyRequests', message: '', retryAfterSeconds: 1 });
      const calls: number[] = [];
      const waits: (number | undefined)[] = [];
      const work = start({
        reconcile: () => {
          calls.push(performance.now());
          if (calls.length > 1) return Promise.resolve(undefined);
          work.add('a', delayMs);
          return Promise.reject(new AggregateError([new Error('cannot write', { cause: overloaded })]));
        },
        onError: (_key, _error, wait) => waits.push(wait),
      });
      work.add('a');
      await until('the first reconciliation has failed', () => waits.length === 1);
      work.add('a', delayMs);
      await until('the second reconciliation', () => calls.length > 1);
      expect(waits[0]).toBeGreaterThanOrEqual(1000);
      // Timers may be a millisecond early.
      expect((calls[1] ?? 0) - (calls[0] ?? 0)).toBeGreaterThanOrEqual(999);
    },
  );

  test.each([86_400, 1e12, -5, 'soon'])(
    'a server that asks for %p seconds neither deafens nor hurries it',
    async (retryAfterSeconds) => {
      const refused = new ApiError({ status: 429, reason: 'TooManyRequests', message: '', retryAfterSeconds });
      const waits: number[] = [];
      const work = start({
        reconcile: () => Promise.reject(refused),
        onError: (_key, _error, wait = Number.NaN) => void waits.push(wait),
        retryMinMs: 10,
        retryMaxMs: 20,
      });
      work.add('a');
      await until('it has failed', () => waits.length > 0);
      await work.stop();
      for (const wait of waits) {
        expect(wait).toBeGreaterThanOrEqual(5);
        expect(wait).toBeLessThanOrEqual(75_000);
      }
    },
  );
});
