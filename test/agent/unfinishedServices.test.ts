/** A Service that a run of a SyncLoop writes in part: what the next runs are asked for, and when. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { builtInConfig } from '../../src/api/defaults.ts';
import { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { stateOf } from '../support/serviceManifests.ts';
import { pacedLoop } from './pacedLoop.ts';
import { RecordingBackend } from './recordingBackend.ts';

let backend: RecordingBackend;
let loop: SyncLoop;

beforeEach(() => {
  jest.useFakeTimers();
  backend = new RecordingBackend();
  const config = { ...builtInConfig(), sync: { periodSeconds: 30, minPeriodSeconds: 1 } };
  const state = stateOf('ipv4', [], config);
  loop = new SyncLoop({ family: 'ipv4', backend, state: () => state, listeners: [], logger: silentLogger });
});

afterEach(async () => {
  await loop.stop(0);
  jest.useRealTimers();
});

const { pass, change, runs, started } = pacedLoop(() => ({ loop, backend }));

describe('SyncLoop', () => {
  test('goes on at once with a Service that is not completely written, and takes the others that wait along', async () => {
    await started();
    backend.durationMs = 10;
    backend.unfinished.push(['default/big'], ['default/big']);
    change('big');
    await pass(5);
    change('a');
    await pass(10);
    change('b');
    await pass(1000);
    expect(runs()).toEqual([
      [5000, ['default/big']],
      [5011, ['default/a', 'default/big']],
      [5022, ['default/b', 'default/big']],
    ]);
  });

  test('writes such a Service as it was, and what it has become afterwards', async () => {
    await started();
    backend.durationMs = 10;
    backend.unfinished.push(['default/big'], ['default/big']);
    change('big');
    await pass(5);
    change('big');
    change('a');
    await pass(20);
    expect(loop.status.queuedSince).toBeDefined();
    await pass(5000);
    expect(runs()).toEqual([
      [5000, ['default/big']],
      [5011, ['default/a', 'default/big']],
      [5022, ['default/big']],
      [6032, ['default/big']],
    ]);
    expect(loop.status.queuedSince).toBeUndefined();
  });

  test('looks for drift, and repairs it, also while a large change goes on', async () => {
    await started();
    backend.durationMs = 10;
    backend.unfinished.push(...Array.from({ length: 10 }, () => ['default/big']));
    change('big');
    await pass(20);
    jest.spyOn(backend, 'findDrift').mockResolvedValueOnce('flushed');
    loop.requestCheck();
    await pass(500);
    expect(runs().map((run) => (run as unknown[])[1])).toEqual([
      ['default/big'],
      ['default/big'],
      'all',
      ...Array.from({ length: 8 }, () => ['default/big']),
    ]);
  });

  test('takes no Service for unfinished after a full run', async () => {
    await started();
    backend.durationMs = 10;
    backend.unfinished.push(['default/big']);
    change('big');
    await pass(5);
    loop.requestFull();
    await pass(10);
    change('big');
    await pass(5000);
    expect(runs().map((run) => (run as unknown[])[1])).toEqual([['default/big'], 'all', ['default/big']]);
    expect(loop.status.queuedSince).toBeUndefined();
  });
});
