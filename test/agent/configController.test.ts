import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Dataplane } from '../../src/agent/dataplane.ts';
import { builtIn, type DesiredConfig } from '../../src/agent/desiredConfig.ts';
import { ConfigController } from '../../src/agent/configController.ts';
import { Store } from '../../src/agent/store.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { until } from '../support/until.ts';
import { node, service } from '../support/objects.ts';
import { RecordingBackend } from './recordingBackend.ts';
import { silentLogger } from '../support/silentLogger.ts';

let store: Store;
let backends: Map<IPFamily, RecordingBackend>;
let dataplane: Dataplane;
let configController: ConfigController;
let made: string[];

beforeEach(() => {
  store = new Store();
  store.setNode(decodeNode(node()).record);
  backends = new Map();
  made = [];
  dataplane = new Dataplane({
    store,
    makeBackend: (mode, family) => {
      if (mode !== 'iptables') return { reason: 'ModeNotAvailable', message: `no ${mode} here` };
      made.push(`${mode} ${family}`);
      const backend = backends.get(family) ?? new RecordingBackend();
      backends.set(family, backend);
      return backend;
    },
    observer: {
      onQueued: () => undefined,
      onSuccess: () => undefined,
      onFailure: () => undefined,
      onDrift: () => undefined,
    },
    logger: silentLogger,
    onRequeue: () => configController.requeue(),
  });
});

afterEach(async () => {
  await configController.stop();
  await dataplane.stop(0);
});

function govern(saved?: DesiredConfig): ConfigController {
  configController = new ConfigController({
    dataplane,
    saved,
    logger: silentLogger,
    onDecision: () => undefined,
    retryRefusedMs: 20,
  });
  return configController;
}

function nodeProxy(generation: number, revision: string, config: Partial<NodeConfig> = {}): NodeProxy {
  const spec = {
    configRef: { name: 'default', uid: 'u', generation },
    revision,
    config: { ...builtIn().config, ...config },
  };
  return {
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    metadata: { name: 'node-1', uid: 'n', generation },
    spec,
  };
}

const inForce = (revision: string): Promise<void> =>
  until(`${revision} is in force`, () => dataplane.status.inForce?.revision === revision);
const ipvs: Partial<NodeConfig> = { mode: 'ipvs' };

describe('which configuration', () => {
  const saved: DesiredConfig = { ...builtIn(), source: 'Saved', revision: 'saved' };
  const cases: { name: string; saved?: DesiredConfig; nodeProxy?: NodeProxy; expected: string; refused?: string }[] = [
    { name: 'none known: the built-in', expected: builtIn().revision },
    { name: 'none but a saved one', saved, expected: 'saved' },
    { name: "the NodeProxy's before a saved one", saved, nodeProxy: nodeProxy(1, 'r1'), expected: 'r1' },
    {
      name: 'one that is refused at the start: the saved one',
      saved,
      nodeProxy: nodeProxy(1, 'r1', ipvs),
      expected: 'saved',
      refused: 'ModeNotAvailable',
    },
    {
      name: 'one that is refused at the start, none saved: the built-in',
      nodeProxy: nodeProxy(1, 'r1', ipvs),
      expected: builtIn().revision,
      refused: 'ModeNotAvailable',
    },
    {
      name: 'one that is invalid',
      nodeProxy: nodeProxy(1, 'r1', { masquerade: { bit: 99, all: false } }),
      expected: builtIn().revision,
      refused: 'ConfigInvalid',
    },
  ];
  test.each(cases)('$name', async ({ saved: kept, nodeProxy: given, expected, refused }) => {
    govern(kept);
    if (given !== undefined) configController.setNodeProxy(given);
    await configController.decide();
    await inForce(expected);
    expect(configController.decision.refusal?.reason).toBe(refused);
  });
});

test('nothing is written before the decision', async () => {
  govern().setNodeProxy(nodeProxy(1, 'r1'));
  store.setNode(decodeNode(node('node-1', ['192.168.0.2'])).record);
  store.setService('default/web', decodeService(service('web')));
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(made).toEqual([]);
});

test('a mode that is refused later changes nothing: the previous configuration goes on serving and following changes', async () => {
  await govern().decide();
  configController.setNodeProxy(nodeProxy(1, 'r1'));
  await inForce('r1');
  configController.setNodeProxy(nodeProxy(2, 'r2', ipvs));
  await until('it is refused', () => configController.decision.refusal !== undefined);
  expect(configController.decision.nodeProxy?.metadata.generation).toBe(2);

  const backend = backends.get('ipv4');
  const before = backend?.syncs.length ?? 0;
  store.setService('default/web', decodeService(service('web')));
  await until('the change is synced', () => (backend?.syncs.length ?? 0) > before);
  expect(backend?.syncs.at(-1)).toMatchObject({ changed: ['default/web'], config: { mode: 'iptables' } });
  expect(dataplane.status.inForce?.revision).toBe('r1');
});

test('a setting changes live: the same backend makes everything anew', async () => {
  await govern().decide();
  configController.setNodeProxy(nodeProxy(1, 'r1'));
  await inForce('r1');
  configController.setNodeProxy(nodeProxy(2, 'r2', { masquerade: { bit: 15, all: false } }));
  await inForce('r2');
  expect(backends.get('ipv4')?.syncs.at(-1)).toMatchObject({ changed: 'all', config: { masquerade: { bit: 15 } } });
  expect(made).toEqual(['iptables ipv4']);
});

test('a refusal is looked at again: the reason may be gone', async () => {
  await govern().decide();
  await inForce(builtIn().revision);
  const backend = backends.get('ipv4');
  if (backend === undefined) throw new Error('no backend runs');
  backend.refuse = () => ({ reason: 'ToolMissing', message: 'iptables-restore is not installed' });
  configController.setNodeProxy(nodeProxy(1, 'r1'));
  await until('it is refused', () => configController.decision.refusal?.reason === 'ToolMissing');
  backend.refuse = () => undefined;
  await inForce('r1');
  await until('the refusal is gone', () => configController.decision.refusal === undefined);
});

test('a configuration that cannot be programmed is not in force', async () => {
  await govern().decide();
  await inForce(builtIn().revision);
  const backend = backends.get('ipv4');
  if (backend === undefined) throw new Error('no backend runs');
  backend.failing = 1;
  configController.setNodeProxy(nodeProxy(1, 'r1'));
  await until('a sync has failed', () => dataplane.status.families[0]?.failures === 1);
  expect(dataplane.status.inForce?.revision).toBe(builtIn().revision);
  await inForce('r1');
});

test('one backend for each family of the node, also for one that comes later', async () => {
  await govern().decide();
  await inForce(builtIn().revision);
  store.setNode(decodeNode(node('node-1', ['192.168.0.1', 'fd00::1'])).record);
  await until('IPv6 is synced too', () => dataplane.status.families[1]?.lastSuccess !== undefined);
  expect(made).toEqual(['iptables ipv4', 'iptables ipv6']);
  const [four, six] = [backends.get('ipv4'), backends.get('ipv6')];
  store.setService('default/six', decodeService(service('six', { clusterIPs: ['fd00::10'] })));
  await until('the change is synced', () => six?.syncs.at(-1)?.changed !== 'all');
  expect(four?.syncs.at(-1)?.changed).toBe('all');
});

describe('a dual-stack node that cannot run one family', () => {
  const refusal = { reason: 'ToolMissing', message: 'no ip6tables' };
  const dual = decodeNode(node('node-1', ['192.168.0.1', 'fd00::1'])).record;

  test('serves the other and says so, and both once it can', async () => {
    const six = new RecordingBackend();
    backends.set('ipv6', six);
    six.refuse = () => refusal;
    store.setNode(dual);
    await govern().decide();
    await inForce(builtIn().revision);
    expect(configController.decision.refusal).toBeUndefined();
    expect(dataplane.status.unserved).toEqual([{ family: 'ipv6', why: refusal }]);
    expect(dataplane.status.families.map(({ family }) => family)).toEqual(['ipv4']);
    six.refuse = () => undefined;
    await until('IPv6 is served too', () => six.syncs.length > 0);
    expect(dataplane.status.unserved).toEqual([]);
    expect(backends.get('ipv4')?.syncs).toHaveLength(1);
  });

  test('refuses where it can run neither', async () => {
    for (const family of ['ipv4', 'ipv6'] as const) {
      const backend = new RecordingBackend();
      backend.refuse = () => refusal;
      backends.set(family, backend);
    }
    store.setNode(dual);
    await govern().decide();
    expect(configController.decision.refusal).toEqual(refusal);
    expect(dataplane.status.accepted).toBeUndefined();
  });

  test('refuses a change that would stop a family that is served', async () => {
    store.setNode(dual);
    await govern().decide();
    await inForce(builtIn().revision);
    const six = backends.get('ipv6');
    if (six !== undefined) six.refuse = () => refusal;
    configController.setNodeProxy(nodeProxy(1, 'r1', { masquerade: { bit: 15, all: false } }));
    await until('there is an answer', () => configController.decision.nodeProxy !== undefined);
    expect(configController.decision.refusal).toEqual(refusal);
    expect(dataplane.status.inForce?.revision).toBe(builtIn().revision);
  });
});

test('a Node that is not there yet', async () => {
  store = new Store();
  dataplane = new Dataplane({
    store,
    makeBackend: () => new RecordingBackend(),
    observer: {
      onQueued: () => undefined,
      onSuccess: () => undefined,
      onFailure: () => undefined,
      onDrift: () => undefined,
    },
    logger: silentLogger,
    onRequeue: () => configController.requeue(),
  });
  await govern().decide();
  expect(configController.decision.refusal?.reason).toBe('NodeUnknown');
  store.setNode(decodeNode(node()).record);
  await inForce(builtIn().revision);
});
