import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { builtInConfig } from '../../src/api/defaults.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { NodeRecord } from '../../src/model/node.ts';
import { Store } from '../../src/agent/watch/store.ts';
import type { SyncListener } from '../../src/agent/dataplane/syncListener.ts';
import { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import { node, service } from '../support/objects.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { pacedLoop } from './pacedLoop.ts';
import { RecordingBackend } from './recordingBackend.ts';

let backend: RecordingBackend;
let store: Store;
let loop: SyncLoop;
let config: NodeConfig;
let events: string[];

const recorder: SyncListener = {
  onSuccess: () => void events.push('success'),
  onFailure: (_loop, { error, retryInMs }) => void events.push(`failure ${error.reason} ${retryInMs}`),
  onDrift: (_loop, what) => void events.push(`drift ${what}`),
  onOutdated: (_loop, why) => void events.push(`outdated: ${why}`),
};

beforeEach(() => {
  jest.useFakeTimers();
  backend = new RecordingBackend();
  store = new Store();
  config = {
    ...builtInConfig(),
    sync: { periodSeconds: 30, minPeriodSeconds: 1 },
    drift: { policy: 'Enforce', checkPeriodSeconds: 60 },
  };
  events = [];
  const { record } = decodeNode(node()) as { record: NodeRecord };
  loop = new SyncLoop({
    family: 'ipv4',
    backend,
    state: () => store.state('ipv4', record, config),
    listeners: [recorder],
    logger: silentLogger,
  });
});

afterEach(async () => {
  const stopped = loop.stop(0);
  await jest.advanceTimersByTimeAsync(1000);
  await stopped;
  jest.useRealTimers();
});

const { pass, change, runs, started } = pacedLoop(() => ({ loop, backend }));

describe('SyncLoop', () => {
  describe('paces its runs', () => {
    test('syncs nothing before the start, and everything in the first run', async () => {
      change('a');
      await pass(5000);
      loop.start();
      await pass(5000);
      expect(runs()).toEqual([[5000, 'all']]);
      expect(loop.status.queuedSince).toBeUndefined();
    });

    test('syncs the first change at once, later ones together after minPeriodSeconds', async () => {
      await started();
      change('a');
      await pass(100);
      change('b');
      await pass(100);
      change('c');
      change('b');
      await pass(2000);
      expect(runs()).toEqual([
        [5000, ['default/a']],
        [6000, ['default/b', 'default/c']],
      ]);
    });

    test('counts the pause from the end of a run', async () => {
      await started();
      backend.durationMs = 700;
      change('a');
      await pass(100);
      change('b');
      await pass(3000);
      expect(runs()).toEqual([
        [5000, ['default/a']],
        [6700, ['default/b']],
      ]);
      expect(backend.maxConcurrent).toBe(1);
    });

    test('pauses as long as the run was where minPeriodSeconds is 0', async () => {
      config = { ...config, sync: { periodSeconds: 30, minPeriodSeconds: 0 } };
      backend.durationMs = 200;
      await started();
      change('a');
      await pass(10);
      change('b');
      await pass(1000);
      expect(runs()).toEqual([
        [5000, ['default/a']],
        [5400, ['default/b']],
      ]);
    });

    test('makes a full run once an hour', async () => {
      await started();
      await pass(3_600_000);
      expect(backend.syncs.map(({ changed }) => changed)).toEqual(['all']);
    });

    test('does not pause before a full run that is requested, and does not lose it while a sync runs', async () => {
      await started();
      backend.durationMs = 100;
      change('a');
      await pass(50);
      loop.requestFull();
      await pass(500);
      expect(runs()).toEqual([
        [5000, ['default/a']],
        [5101, 'all'],
      ]);
    });

    test('pauses before a full run that nobody who is served waits for, also one enqueued while a sync runs', async () => {
      await started();
      backend.durationMs = 100;
      change('a');
      await pass(50);
      loop.enqueueFull();
      await pass(500);
      expect(runs()).toEqual([[5000, ['default/a']]]);
      await pass(5000);
      expect(runs()).toEqual([
        [5000, ['default/a']],
        [expect.any(Number), 'all'],
      ]);
    });
  });

  describe('after a failure', () => {
    test('makes full runs, at growing distances up to periodSeconds, until one succeeds', async () => {
      await started();
      backend.failing = 7;
      change('a');
      await pass(200_000);
      expect(runs()).toEqual(
        [5000, 6000, 8000, 12_000, 20_000, 36_000, 66_000, 96_000].map((at, index) => [
          at,
          index === 0 ? ['default/a'] : 'all',
        ]),
      );
      expect(loop.status).toMatchObject({ failures: 0, error: undefined });
      expect(loop.status.queuedSince).toBeUndefined();
    });

    test.each([
      {
        name: 'at once where rules were seen to be flushed before they were read back',
        reason: 'VerificationFailed',
        flushAfterMs: 100,
        secondRunAt: 501,
      },
      {
        name: 'as soon as the flush is seen, where that is after the run',
        reason: 'VerificationFailed',
        flushAfterMs: 700,
        secondRunAt: 701,
      },
      {
        name: 'after a pause where rules are missing and no flush was seen',
        reason: 'VerificationFailed',
        flushAfterMs: undefined,
        secondRunAt: 1500,
      },
      {
        name: 'after a pause for another failure, whatever was seen',
        reason: 'ToolFailed',
        flushAfterMs: 100,
        secondRunAt: 1500,
      },
    ])('retries $name', async ({ reason, flushAfterMs, secondRunAt }) => {
      Object.assign(backend, { failing: 1, failureReason: reason, durationMs: 500 });
      loop.start();
      if (flushAfterMs !== undefined) setTimeout(() => loop.requestCheck(), flushAfterMs);
      await pass(4000);
      expect(runs()).toEqual([
        [0, 'all'],
        [secondRunAt, 'all'],
      ]);
    });

    test('pauses in the end where another program flushes all the time', async () => {
      Object.assign(backend, { failing: 100, failureReason: 'VerificationFailed', durationMs: 10 });
      const flushing = setInterval(() => loop.requestCheck(), 5);
      loop.start();
      await pass(20_000);
      clearInterval(flushing);
      expect(backend.syncs).toHaveLength(6);
    });

    test('remembers since when a change waits', async () => {
      await started();
      backend.failing = 100;
      change('a');
      await pass(100);
      const since = loop.status.queuedSince;
      change('b');
      await pass(50_000);
      expect(loop.status.queuedSince).toBe(since);
      expect(loop.status.error?.message).toBe('set to fail');
    });

    test('reports an error that is safe to show, whatever the backend throws', async () => {
      await started();
      backend.sync = () => Promise.reject(new Error('iptables-restore: secret words'));
      change('a');
      await pass(10);
      expect(loop.status.error).toMatchObject({ reason: 'SyncFailed', message: expect.not.stringContaining('secret') });
    });
  });

  describe('on drift', () => {
    test('counts what is missing and repairs it by a full run with Enforce', async () => {
      await started();
      backend.drift = 'chain KUBE-SERVICES is missing';
      await pass(60_000);
      expect(events).toContain('drift chain KUBE-SERVICES is missing');
      expect(backend.syncs.map(({ changed }) => changed)).toEqual(['all']);
      expect(loop.status).toMatchObject({ drifts: 1, drift: undefined });
      await pass(120_000);
      expect(loop.status.drifts).toBe(1);
    });

    test('counts what is missing once and leaves it with Report', async () => {
      config = { ...config, drift: { policy: 'Report', checkPeriodSeconds: 60 } };
      await started();
      backend.drift = 'chain KUBE-SERVICES is missing';
      await pass(200_000);
      expect(backend.syncs).toEqual([]);
      expect(loop.status).toMatchObject({ drifts: 1, drift: 'chain KUBE-SERVICES is missing' });
      backend.drift = undefined;
      await pass(60_000);
      expect(loop.status.drift).toBeUndefined();
    });

    test.each(['Enforce', 'Report'] as const)(
      'writes all anew where the node is different, and counts no drift, with %s',
      async (policy) => {
        config = { ...config, drift: { policy, checkPeriodSeconds: 60 } };
        await started();
        backend.drift = { outdated: 'another address' };
        await pass(60_000);
        expect(backend.syncs.map(({ changed }) => changed)).toEqual(['all']);
        expect(loop.status).toMatchObject({ drifts: 0, drift: undefined });
        expect(events).toEqual(['success', 'outdated: another address', 'success']);
      },
    );
  });

  test('reports a configuration in force once a full run with it succeeded', async () => {
    await started();
    const old = config;
    config = { ...config, masquerade: { bit: 15, all: false } };
    change('a');
    await pass(10);
    expect(loop.status.configInForce).toBe(old);
    loop.requestFull();
    await pass(10);
    expect(loop.status.configInForce).toBe(config);
  });

  test('lets the running sync end when it is stopped, and starts no other', async () => {
    await started();
    backend.durationMs = 500;
    change('a');
    await pass(10);
    change('b');
    const stopped = loop.stop(1000);
    await pass(5000);
    await stopped;
    expect(runs()).toEqual([[5000, ['default/a']]]);
    expect(events.filter((what) => what === 'success')).toHaveLength(2);
  });

  test('counts a Service that is in the store', async () => {
    store.setService('default/web', decodeService(service('web')));
    loop.start();
    await pass(10);
    expect(loop.status.result).toMatchObject({ services: 1, full: true });
  });
});
