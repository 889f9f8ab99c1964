/**
 * An IP family that only Services have: its loop ends with the last of them. With backends that only record their calls;
 * on the real kernel: `test/faults/lastService.test.ts`.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ConfigController } from '../../src/agent/config/configController.ts';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import { Dataplane } from '../../src/agent/dataplane/dataplane.ts';
import { Store } from '../../src/agent/watch/store.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { assignedNodeProxy } from '../support/assignedNodeProxy.ts';
import { noOtherProxies } from '../support/noOtherProxies.ts';
import { node, service } from '../support/objects.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';
import { RecordingBackend } from './recordingBackend.ts';

let store: Store;
let dataplane: Dataplane;
let configController: ConfigController;
let backends: Map<IPFamily, RecordingBackend>;

beforeEach(() => {
  store = new Store();
  store.setNode(decodeNode(node()).record);
  backends = new Map();
  dataplane = new Dataplane({
    store,
    otherProxies: noOtherProxies,
    makeBackend: (mode, family) =>
      mode === 'iptables'
        ? (backends.get(family) ?? new RecordingBackend())
        : { reason: 'ModeNotAvailable', message: `no ${mode} here` },
    listeners: [],
    logger: silentLogger,
    onRequeue: () => configController.requeue(),
    timing: { settleMs: 1, pollMs: 5, retryMs: 5 },
  });
  configController = new ConfigController({
    dataplane,
    saved: undefined,
    logger: silentLogger,
    onDecision: () => undefined,
  });
});

afterEach(async () => {
  await configController.stop();
  await dataplane.stop(0);
});

const families = (): string[] => dataplane.status.families.map(({ family }) => family);

async function inForce(revision: string): Promise<void> {
  await until(`${revision} is in force`, () => dataplane.status.inForce?.revision === revision);
}

describe('Dataplane whose last Service of a family that the node does not have is gone', () => {
  const six = decodeService(service('six', { clusterIPs: ['fd00::10'] }));
  let backend: RecordingBackend;

  async function serveBoth(): Promise<void> {
    backend = new RecordingBackend();
    backends.set('ipv6', backend);
    store.setService('default/six', six);
    await configController.decide();
    await inForce(builtIn().revision);
    expect(families()).toEqual(['ipv4', 'ipv6']);
  }

  test('syncs that, then ends the loop, and starts another with the next Service', async () => {
    await serveBoth();
    store.removeService('default/six');
    await until('the loop has ended', () => dataplane.backend('ipv6') === undefined);
    expect(backend.syncs.at(-1)?.changed).toEqual(['default/six']);
    expect(families()).toEqual(['ipv4']);
    const { length } = backend.syncs;
    store.setService('default/six', six);
    await until('it is served again', () => families().length === 2 && backend.syncs.length > length);
    expect(backend.syncs.at(-1)?.changed).toBe('all');
  });

  test('loses no Service that comes while the loop ends', async () => {
    await serveBoth();
    backend.durationMs = 50;
    store.removeService('default/six');
    await until('the last sync runs', () => backend.syncs.length === 2);
    await until('it has ended', () => backend.concurrent === 0);
    store.setService('default/six', six);
    await until('it is served again', () => backend.syncs.at(-1)?.changed === 'all' && backend.concurrent === 0);
    expect(families()).toEqual(['ipv4', 'ipv6']);
  });

  test('is in force without it while its rules cannot be taken away, and says so', async () => {
    await serveBoth();
    backend.failing = Infinity;
    store.removeService('default/six');
    await until('it is said', () => (dataplane.status.conditions ?? []).length > 0);
    expect(dataplane.status.conditions).toMatchObject([{ type: 'OldModeRemoved', reason: 'RemovalFailed' }]);
    expect(families()).toEqual(['ipv4']);
    configController.setNodeProxy(assignedNodeProxy({ revision: 'r1', generation: 1, config: builtIn().config }));
    await inForce('r1');
    backend.failing = 0;
    await until('the loop has ended', () => dataplane.backend('ipv6') === undefined);
    expect(dataplane.status.conditions).toEqual([]);
  });
});
