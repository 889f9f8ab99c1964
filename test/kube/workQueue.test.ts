import { afterEach, expect, test } from '@jest/globals';
import { ApiError } from '../../src/kube/apiError.ts';
import { createWorkQueue, type WorkQueue, type WorkQueueOptions } from '../../src/kube/workQueue.ts';
import { until } from '../support/until.ts';

let queue: WorkQueue | undefined;
afterEach(() => queue?.stop());

function start(options: WorkQueueOptions): WorkQueue {
  queue = createWorkQueue({ retryMinMs: 5, retryMaxMs: 20, ...options });
  return queue;
}

test('a key that is added often while it waits gets one turn, and one more when added during its turn', async () => {
  const turns: string[] = [];
  const gate = Promise.withResolvers<void>();
  const work = start({
    reconcile: async (key) => {
      turns.push(key);
      await gate.promise;
      return undefined;
    },
  });
  for (const key of ['a', 'b', 'b', 'b', 'a']) work.add(key);
  await until('the first turn has begun', () => turns.length === 1);
  gate.resolve();
  await until('all had their turns', () => turns.length === 3);
  expect(turns).toEqual(['a', 'b', 'a']);
});

test('several workers never work on one key at the same time', async () => {
  const active = new Set<string>();
  const clashes: string[] = [];
  let turns = 0;
  const work = start({
    workers: 3,
    reconcile: async (key) => {
      if (active.has(key)) clashes.push(key);
      active.add(key);
      await new Promise((resolve) => setImmediate(resolve));
      active.delete(key);
      turns += 1;
      return turns < 20 ? 0 : undefined;
    },
  });
  for (const key of ['a', 'b', 'a', 'c', 'b']) work.add(key);
  await until('twenty turns', () => turns >= 20);
  expect(clashes).toEqual([]);
});

test('an error is retried with a growing wait, a terminal one is not', async () => {
  const waits: (number | undefined)[] = [];
  let turns = 0;
  const work = start({
    reconcile: () => {
      turns += 1;
      return Promise.reject(new Error(turns < 4 ? 'try again' : 'hopeless'));
    },
    isTerminal: (error) => (error as Error).message === 'hopeless',
    onError: (_key, _error, wait) => waits.push(wait),
  });
  work.add('a');
  await until('the terminal error', () => waits.length === 4);
  expect(waits[3]).toBeUndefined();
  expect(waits[2]).toBeGreaterThan(waits[0] ?? Infinity);
  expect(turns).toBe(4);
});

test('a delayed key waits, unless it is added again with a shorter delay', async () => {
  const turns: string[] = [];
  const work = start({
    reconcile: (key) => {
      turns.push(key);
      return Promise.resolve(undefined);
    },
  });
  work.add('a', 60_000);
  work.add('b', 60_000);
  work.add('b', 1);
  await until('b had its turn', () => turns.length > 0);
  expect(turns).toEqual(['b']);
});

test('stop waits for the running reconciliation and takes no more keys', async () => {
  const turns: string[] = [];
  let ended = false;
  const work = start({
    reconcile: async (key, signal) => {
      turns.push(key);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended = true;
      return 0;
    },
  });
  work.add('a');
  work.add('b');
  await until('the first turn has begun', () => turns.length === 1);
  await work.stop();
  work.add('c');
  expect({ turns, ended }).toEqual({ turns: ['a'], ended: true });
});

test.each([0, 5])(
  'no turn begins before the time that the API server asked for, whatever is added with a delay of %d ms during the turn and after it',
  async (delayMs) => {
    const overloaded = new ApiError({ status: 429, reason: 'TooManyRequests', message: '', retryAfterSeconds: 1 });
    const turns: number[] = [];
    const waits: (number | undefined)[] = [];
    const work = start({
      reconcile: () => {
        turns.push(performance.now());
        if (turns.length > 1) return Promise.resolve(undefined);
        work.add('a', delayMs);
        return Promise.reject(new AggregateError([new Error('cannot write', { cause: overloaded })]));
      },
      onError: (_key, _error, wait) => waits.push(wait),
    });
    work.add('a');
    await until('the first turn has failed', () => waits.length === 1);
    work.add('a', delayMs);
    await until('the second turn', () => turns.length > 1);
    expect(waits[0]).toBeGreaterThanOrEqual(1000);
    // Timers may be a millisecond early.
    expect((turns[1] ?? 0) - (turns[0] ?? 0)).toBeGreaterThanOrEqual(999);
  },
);
