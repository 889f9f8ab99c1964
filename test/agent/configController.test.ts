import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Dataplane } from '../../src/agent/dataplane/dataplane.ts';
import { builtIn, type DesiredConfig } from '../../src/agent/config/desiredConfig.ts';
import { ConfigController } from '../../src/agent/config/configController.ts';
import { Store } from '../../src/agent/watch/store.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { assignedNodeProxy } from '../support/assignedNodeProxy.ts';
import { until } from '../support/until.ts';
import { node, service } from '../support/objects.ts';
import { RecordingBackend } from './recordingBackend.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { noOtherProxies } from '../support/noOtherProxies.ts';

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
    otherProxies: noOtherProxies,
    makeBackend: (mode, family) => {
      if (mode !== 'iptables') return { reason: 'ModeNotAvailable', message: `no ${mode} here` };
      made.push(`${mode} ${family}`);
      const backend = backends.get(family) ?? new RecordingBackend();
      backends.set(family, backend);
      return backend;
    },
    listeners: [],
    logger: silentLogger,
    onRequeue: () => configController.requeue(),
  });
});

afterEach(async () => {
  await configController.stop();
  await dataplane.stop(0);
});

function newController(saved?: DesiredConfig): ConfigController {
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
  return assignedNodeProxy({ revision, generation, config });
}

const inForce = (revision: string): Promise<void> =>
  until(`${revision} is in force`, () => dataplane.status.inForce?.revision === revision);
const ipvs: Partial<NodeConfig> = { mode: 'ipvs' };

async function keepsTheOneBefore(refused: Partial<NodeConfig>): Promise<void> {
  await newController().decide();
  configController.setNodeProxy(nodeProxy(1, 'r1'));
  await inForce('r1');
  configController.setNodeProxy(nodeProxy(2, 'r2', refused));
  await until('it is refused', () => configController.decision.refusal !== undefined);
  expect(configController.decision.nodeProxy?.metadata.generation).toBe(2);

  const backend = backends.get('ipv4');
  const before = backend?.syncs.length ?? 0;
  store.setService('default/web', decodeService(service('web')));
  await until('the change is synced', () => (backend?.syncs.length ?? 0) > before);
  expect(backend?.syncs.at(-1)).toMatchObject({ changed: ['default/web'], config: { mode: 'iptables' } });
  expect(dataplane.status.inForce?.revision).toBe('r1');
}

describe('ConfigController', () => {
  describe('chooses', () => {
    const saved: DesiredConfig = { ...builtIn(), source: 'Saved', revision: 'saved' };
    const cases: { name: string; saved?: DesiredConfig; nodeProxy?: NodeProxy; expected: string; refused?: string }[] =
      [
        { name: 'the built-in configuration where none is known', expected: builtIn().revision },
        { name: 'the saved configuration where there is no NodeProxy', saved, expected: 'saved' },
        {
          name: "the NodeProxy's configuration before a saved one",
          saved,
          nodeProxy: nodeProxy(1, 'r1'),
          expected: 'r1',
        },
        {
          name: "the saved configuration where the NodeProxy's is refused at the start",
          saved,
          nodeProxy: nodeProxy(1, 'r1', ipvs),
          expected: 'saved',
          refused: 'ModeNotAvailable',
        },
        {
          name: "the built-in configuration where the NodeProxy's is refused at the start and none is saved",
          nodeProxy: nodeProxy(1, 'r1', ipvs),
          expected: builtIn().revision,
          refused: 'ModeNotAvailable',
        },
        {
          name: "the built-in configuration where the NodeProxy's is invalid",
          nodeProxy: nodeProxy(1, 'r1', { masquerade: { bit: 99, all: false } }),
          expected: builtIn().revision,
          refused: 'ConfigInvalid',
        },
        {
          name: 'the saved configuration where the NodeProxy asks for NodePorts on loopback addresses',
          saved,
          nodeProxy: nodeProxy(1, 'r1', { nodePorts: { addresses: ['primary', 'localhost'] } }),
          expected: 'saved',
          refused: 'LocalhostNotServed',
        },
        {
          name: 'NodePorts in a loopback network, which is a network without an address that serves them',
          nodeProxy: nodeProxy(1, 'r1', { nodePorts: { addresses: ['primary', '127.0.0.0/8'] } }),
          expected: 'r1',
        },
      ];
    test.each(cases)('$name', async ({ saved: savedBefore, nodeProxy: given, expected, refused }) => {
      newController(savedBefore);
      if (given !== undefined) configController.setNodeProxy(given);
      await configController.decide();
      await inForce(expected);
      expect(configController.decision.refusal?.reason).toBe(refused);
    });
  });

  test('writes nothing before the first decision', async () => {
    newController().setNodeProxy(nodeProxy(1, 'r1'));
    store.setNode(decodeNode(node('node-1', ['192.168.0.2'])).record);
    store.setService('default/web', decodeService(service('web')));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(made).toEqual([]);
  });

  test('keeps the configuration before, and follows changes, when a later mode is refused', () =>
    keepsTheOneBefore(ipvs));

  test('keeps the configuration before, and follows changes, when NodePorts on loopback addresses are refused', () =>
    keepsTheOneBefore({ nodePorts: { addresses: ['localhost'] } }));

  test('applies another setting with the same backend, by a full sync', async () => {
    await newController().decide();
    configController.setNodeProxy(nodeProxy(1, 'r1'));
    await inForce('r1');
    configController.setNodeProxy(nodeProxy(2, 'r2', { masquerade: { bit: 15, all: false } }));
    await inForce('r2');
    expect(backends.get('ipv4')?.syncs.at(-1)).toMatchObject({ changed: 'all', config: { masquerade: { bit: 15 } } });
    expect(made).toEqual(['iptables ipv4']);
  });

  test('tries a refused configuration again: the reason may be gone', async () => {
    await newController().decide();
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

  test('does not report a configuration in force that cannot be programmed', async () => {
    await newController().decide();
    await inForce(builtIn().revision);
    const backend = backends.get('ipv4');
    if (backend === undefined) throw new Error('no backend runs');
    backend.failing = 1;
    configController.setNodeProxy(nodeProxy(1, 'r1'));
    await until('a sync has failed', () => dataplane.status.families[0]?.failures === 1);
    expect(dataplane.status.inForce?.revision).toBe(builtIn().revision);
    await inForce('r1');
  });

  test('runs one backend for each family of the node, also for one that comes later', async () => {
    await newController().decide();
    await inForce(builtIn().revision);
    store.setNode(decodeNode(node('node-1', ['192.168.0.1', 'fd00::1'])).record);
    await until('IPv6 is synced too', () => dataplane.status.families[1]?.lastSuccess !== undefined);
    expect(made).toEqual(['iptables ipv4', 'iptables ipv6']);
    const [four, six] = [backends.get('ipv4'), backends.get('ipv6')];
    store.setService('default/six', decodeService(service('six', { clusterIPs: ['fd00::10'] })));
    await until('the change is synced', () => six?.syncs.at(-1)?.changed !== 'all');
    expect(four?.syncs.at(-1)?.changed).toBe('all');
  });

  test.each(['before', 'after'])(
    'serves a family that only Services have, from the first one that came %s the start',
    async (when) => {
      const six = decodeService(service('six', { clusterIPs: ['fd00::10'] }));
      if (when === 'before') store.setService('default/six', six);
      await newController().decide();
      await inForce(builtIn().revision);
      expect(made).toContain('iptables ipv4');
      if (when === 'after') {
        expect(made).toEqual(['iptables ipv4']);
        store.setService('default/six', six);
      }
      await until('IPv6 is synced too', () => dataplane.status.families[1]?.lastSuccess !== undefined);
      expect(made).toEqual(['iptables ipv4', 'iptables ipv6']);
    },
  );

  describe('on a dual-stack node that cannot run one family', () => {
    const refusal = { reason: 'ToolMissing', message: 'no ip6tables' };
    const dual = decodeNode(node('node-1', ['192.168.0.1', 'fd00::1'])).record;

    test('serves the other and reports it, and both once it can', async () => {
      const six = new RecordingBackend();
      backends.set('ipv6', six);
      six.refuse = () => refusal;
      store.setNode(dual);
      await newController().decide();
      await inForce(builtIn().revision);
      expect(configController.decision.refusal).toBeUndefined();
      expect(dataplane.status.unserved).toEqual([{ family: 'ipv6', why: refusal }]);
      expect(dataplane.status.families.map(({ family }) => family)).toEqual(['ipv4']);
      six.refuse = () => undefined;
      await until('IPv6 is served too', () => six.syncs.length > 0);
      expect(dataplane.status.unserved).toEqual([]);
      expect(backends.get('ipv4')?.syncs).toHaveLength(1);
    });

    test('refuses where the node can run neither', async () => {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const backend = new RecordingBackend();
        backend.refuse = () => refusal;
        backends.set(family, backend);
      }
      store.setNode(dual);
      await newController().decide();
      expect(configController.decision.refusal).toEqual(refusal);
      expect(dataplane.status.accepted).toBeUndefined();
    });

    test('refuses a change that would stop a family that is served', async () => {
      store.setNode(dual);
      await newController().decide();
      await inForce(builtIn().revision);
      const six = backends.get('ipv6');
      if (six !== undefined) six.refuse = () => refusal;
      configController.setNodeProxy(nodeProxy(1, 'r1', { masquerade: { bit: 15, all: false } }));
      await until('there is an answer', () => configController.decision.nodeProxy !== undefined);
      expect(configController.decision.refusal).toEqual(refusal);
      expect(dataplane.status.inForce?.revision).toBe(builtIn().revision);
    });
  });

  test('refuses until the Node exists', async () => {
    store = new Store();
    dataplane = new Dataplane({
      store,
      otherProxies: noOtherProxies,
      makeBackend: () => new RecordingBackend(),
      listeners: [],
      logger: silentLogger,
      onRequeue: () => configController.requeue(),
    });
    await newController().decide();
    expect(configController.decision.refusal?.reason).toBe('NodeUnknown');
    store.setNode(decodeNode(node()).record);
    await inForce(builtIn().revision);
  });
});
