import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ApiError } from '../../src/kube/apiError.ts';
import type { KubeClient, SendOptions } from '../../src/kube/client.ts';
import { createStatusWriter, type StatusWriter } from '../../src/kube/statusWriter.ts';
import { until } from '../support/until.ts';

let writes: { at: number; status: unknown }[];
let failWith: (ApiError | undefined)[];
let errors: (number | undefined)[];
let writer: StatusWriter;

function newWriter(intervalMs: number): StatusWriter {
  const start = performance.now();
  const send = (_method: string, path: string, { body, contentType, query }: SendOptions = {}): Promise<never> => {
    const failure = failWith.shift();
    if (failure !== undefined) return Promise.reject(failure);
    expect({ path, contentType, query }).toEqual({
      path: '/things/a/status',
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager: 'test', force: true },
    });
    writes.push({ at: Math.floor((performance.now() - start) / 1000), status: (body as { status: unknown }).status });
    return Promise.resolve({} as never);
  };
  return createStatusWriter({
    client: { send } as unknown as KubeClient,
    apiVersion: 'v1',
    kind: 'Thing',
    name: 'a',
    path: '/things/a',
    fieldManager: 'test',
    intervalMs,
    onError: (_error, retryInMs) => errors.push(retryInMs),
  });
}

beforeEach(() => {
  jest.useFakeTimers();
  writes = [];
  failWith = [];
  errors = [];
  writer = newWriter(10_000);
});
afterEach(() => void jest.useRealTimers());

const conflicts = (count: number): ApiError[] =>
  Array.from({ length: count }, () => new ApiError({ status: 409, reason: 'Conflict', message: '' }));

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

describe('createStatusWriter', () => {
  test('the first goes at once, then one an interval, the latest of them', async () => {
    writer.write({ n: 1 });
    await pass(1000);
    writer.write({ n: 2 });
    await pass(1000);
    writer.write({ n: 3 });
    await pass(30_000);
    expect(writes.map(({ status }) => status)).toEqual([{ n: 1 }, { n: 3 }]);
    expect(writes[1]?.at).toBeGreaterThanOrEqual(10);
    expect(writes[1]?.at).toBeLessThanOrEqual(12);
  });

  test('what is urgent does not wait; what is equal is not written', async () => {
    writer.write({ n: 1 });
    await pass(1000);
    writer.write({ n: 2 }, { urgent: true });
    await pass(1000);
    writer.write({ n: 2 });
    await pass(30_000);
    expect(writes).toEqual([
      { at: 0, status: { n: 1 } },
      { at: 1, status: { n: 2 } },
    ]);
  });

  test('an object made anew is written again', async () => {
    writer.write({ n: 1 });
    await pass(1000);
    writer.forget();
    writer.write({ n: 1 }, { urgent: true });
    await pass(1000);
    expect(writes).toHaveLength(2);
  });

  test('a failed write is tried again, with what is latest then', async () => {
    failWith = [
      new ApiError({ status: 503, reason: 'ServiceUnavailable', message: '' }),
      new ApiError({ status: 0, reason: 'Unreachable', message: '' }),
    ];
    writer.write({ n: 1 });
    await pass(100);
    writer.write({ n: 2 });
    await pass(10_000);
    expect(writes.map(({ status }) => status)).toEqual([{ n: 2 }]);
    expect(errors).toHaveLength(2);
  });

  test('not even what is urgent is written before the API server may be asked again', async () => {
    failWith = [new ApiError({ status: 429, reason: 'TooManyRequests', message: '', retryAfterSeconds: 20 })];
    writer.write({ n: 1 });
    await pass(100);
    writer.write({ n: 2 }, { urgent: true });
    await pass(30_000);
    expect(writes.map(({ status }) => status)).toEqual([{ n: 2 }]);
    expect(writes[0]?.at).toBeGreaterThanOrEqual(20);
    expect(errors[0]).toBeGreaterThanOrEqual(20_000);
  });

  test('no object: not tried again until the next write', async () => {
    failWith = [new ApiError({ status: 404, reason: 'NotFound', message: '' })];
    writer.write({ n: 1 });
    await pass(100_000);
    expect({ writes, errors }).toEqual({ writes: [], errors: [undefined] });
    writer.write({ n: 1 });
    await pass(1000);
    expect(writes).toHaveLength(1);
  });

  test('stop writes what waits', async () => {
    writer.write({ n: 1 });
    await pass(1000);
    writer.write({ n: 2 });
    await writer.stop();
    writer.write({ n: 3 });
    await pass(100_000);
    expect(writes.map(({ status }) => status)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  describe('a conflict is no failure', () => {
    const intervalMs = 300;

    beforeEach(() => {
      jest.useRealTimers();
      writer = newWriter(intervalMs);
    });

    test('what is latest is written at once', async () => {
      failWith = conflicts(4);
      writer.write({ n: 1 });
      await until('it was refused', () => failWith.length < 4);
      writer.write({ n: 2 });
      await until('it is written', () => writes.length > 0);
      expect({ statuses: writes.map(({ status }) => status), errors }).toEqual({ statuses: [{ n: 2 }], errors: [] });
    });

    test('somebody who is quicker each time: it is tried again after the interval', async () => {
      failWith = conflicts(5);
      writer.write({ n: 1 });
      await until('all tries were refused', () => failWith.length === 0);
      const refused = performance.now();
      await until('it is written', () => writes.length > 0);
      expect(performance.now() - refused).toBeGreaterThan(intervalMs - 50);
      expect({ statuses: writes.map(({ status }) => status), errors }).toEqual({ statuses: [{ n: 1 }], errors: [] });
    });
  });
});
