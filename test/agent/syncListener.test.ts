import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SyncListener } from '../../src/agent/dataplane/syncListener.ts';
import { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import { clusterIP, stateOf } from '../support/serviceManifests.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';
import { RecordingBackend } from './recordingBackend.ts';

let backend: RecordingBackend;
let loop: SyncLoop | undefined;
let events: string[];

beforeEach(() => {
  backend = new RecordingBackend();
  events = [];
});
afterEach(async () => {
  await loop?.stop(0);
});

const last: SyncListener = { onSuccess: () => void events.push('success') };
const broken = (): never => {
  throw new Error('of a listener');
};

/** A loop of IPv4 with these listeners and one more that ends the test. */
async function synced(...listeners: readonly SyncListener[]): Promise<SyncLoop> {
  const manifest = { name: 'web', clusterIP: clusterIP(1), ports: [{ name: 'http', port: 80 }] };
  loop = new SyncLoop({
    family: 'ipv4',
    backend,
    state: () => stateOf('ipv4', [manifest]),
    listeners: [...listeners, last],
    logger: { ...silentLogger, error: (message) => void events.push(message) },
  });
  loop.requestFull();
  loop.start();
  await until('it has synced', () => events.includes('success'));
  return loop;
}

describe('SyncListener', () => {
  test('is told what a Service serves while the sync runs, and then that it succeeded', async () => {
    await synced({
      onServicePorts: (_loop, key, ports) => void events.push(`${key} ${ports.map(({ port }) => port).join()}`),
    });
    expect(events).toEqual(['default/web 80', 'success']);
  });

  test('is told of one family alone where it asks for that', async () => {
    await synced(
      { family: 'ipv4', onSuccess: () => void events.push('ipv4') },
      { family: 'ipv6', onSuccess: () => void events.push('ipv6') },
    );
    expect(events).toEqual(['ipv4', 'success']);
  });

  test('harms neither the sync nor the next listener when it throws', async () => {
    const { status } = await synced({ onQueued: broken, onServicePorts: broken, onSuccess: broken });
    const logged = 'what follows a sync failed; the rules are not affected';
    expect(events).toEqual([logged, logged, logged, 'success']);
    expect(status).toMatchObject({ failures: 0, error: undefined, result: { full: true } });
    expect(backend.syncs).toHaveLength(1);
  });
});
