/**
 * A node that changes its mode, with backends that only record their calls: which backend is called, in which order,
 * and what the status reports.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Dataplane } from '../../src/agent/dataplane/dataplane.ts';
import { builtIn, type DesiredConfig } from '../../src/agent/config/desiredConfig.ts';
import { ConfigController } from '../../src/agent/config/configController.ts';
import { Store } from '../../src/agent/watch/store.ts';
import type { NodeConfig, ProxyMode } from '../../src/api/nodeConfig.ts';
import type { DrainResult, DrainRequest, SyncRequest, SyncResult } from '../../src/backend/backend.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { assignedNodeProxy } from '../support/assignedNodeProxy.ts';
import { until } from '../support/until.ts';
import { node, service } from '../support/objects.ts';
import { RecordingBackend } from './recordingBackend.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { noOtherProxies } from '../support/noOtherProxies.ts';

/** The calls of all backends, in order, such as `ipvs sync`; of all instances, as a kernel would see them. */
let journal: string[];
let failing: Set<ProxyMode>;
let refusing: Set<ProxyMode>;
let draining: number;
/** Resolves when backends may go on preparing for a takeover. */
let preparation: Promise<void>;

class JournalBackend extends RecordingBackend {
  readonly #mode: ProxyMode;

  constructor(mode: ProxyMode) {
    super();
    this.#mode = mode;
    this.refuse = () => (refusing.has(mode) ? { reason: 'KernelModuleMissing', message: 'not here' } : undefined);
  }

  override async sync(request: SyncRequest): Promise<SyncResult> {
    journal.push(`${this.#mode} sync${request.changed === 'all' ? '' : ` of ${[...request.changed].join()}`}`);
    if (failing.has(this.#mode)) this.failing = 1;
    return super.sync(request);
  }

  prepareTakeover(): Promise<void> {
    journal.push(`${this.#mode} prepares`);
    return preparation;
  }

  drainAndRemove({ drains }: DrainRequest): Promise<DrainResult> {
    journal.push(`${this.#mode} ${drains ? 'drains' : 'goes'}`);
    if (drains && draining > 0) return Promise.resolve({ removed: [], draining });
    return Promise.resolve({ removed: ['everything'], draining: 0 });
  }
}

let store: Store;
let dataplane: Dataplane;
let configController: ConfigController;

function start(saved?: DesiredConfig): void {
  dataplane = new Dataplane({
    store,
    otherProxies: noOtherProxies,
    makeBackend: (mode) =>
      mode === 'iptables' || mode === 'ipvs' ? new JournalBackend(mode) : { reason: 'ModeNotAvailable', message: mode },
    listeners: [],
    logger: silentLogger,
    onRequeue: () => configController.requeue(),
    timing: { settleMs: 5, pollMs: 10, retryMs: 10 },
  });
  configController = new ConfigController({
    dataplane,
    saved,
    logger: silentLogger,
    onDecision: () => undefined,
    retryRefusedMs: 20,
  });
}

beforeEach(() => {
  journal = [];
  failing = new Set();
  refusing = new Set();
  draining = 0;
  preparation = Promise.resolve();
  store = new Store();
  store.setNode(decodeNode(node()).record);
  start();
});

afterEach(async () => {
  await Promise.all([configController.stop(), dataplane.stop(0)]);
});

let generation = 0;
function assign(revision: string, config: Partial<NodeConfig>): Promise<void> {
  generation += 1;
  configController.setNodeProxy(assignedNodeProxy({ revision, generation, config }));
  return configController.decide();
}

async function served(revision: string): Promise<void> {
  await until(`${revision} is in force`, () => dataplane.status.inForce?.revision === revision);
}

/** In iptables mode, with nothing left of another one, and an empty journal. */
async function serveIptables(config: Partial<NodeConfig> = {}): Promise<void> {
  await assign('r1', { mode: 'iptables', ...config });
  await served('r1');
  await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
  journal = [];
}

const probeFailed = { kind: 'failed', why: { reason: 'ProbeFailed', message: 'no connection' } } as const;

/** Equal entries beside each other are the families, or repeated checks of the same state. */
function steps(): readonly string[] {
  return journal.filter((entry, index) => entry !== journal[index - 1]);
}

describe('Dataplane mode change', () => {
  test('completes the new mode before it removes the old one', async () => {
    await serveIptables();
    await assign('r2', { mode: 'ipvs' });
    const revision = { revision: 'r2' };
    expect(dataplane.status).toMatchObject({ inForce: revision, accepted: revision, isProbing: true });
    expect(steps()).toEqual(['iptables prepares', 'ipvs sync']);
    dataplane.handleProbeResult('r2', undefined);
    await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
    expect(steps()).toEqual(['iptables prepares', 'ipvs sync', 'iptables drains']);
    expect(dataplane.status.isProbing).toBe(false);
  });

  test('does not take the new mode for one that no longer serves when its first run succeeds', async () => {
    await serveIptables({ migration: { strategy: 'PreserveConnections', drainTimeoutSeconds: 0 } });
    await assign('r2', { mode: 'ipvs' });
    store.setService('default/web', decodeService(service('web')));
    await until('a change is brought in', () => journal.at(-1) === 'ipvs sync of default/web');
    expect(steps()).toEqual(['iptables prepares', 'ipvs sync', 'ipvs sync of default/web']);
  });

  test('removes what another mode left before the agent started, once the desired one is in force', async () => {
    await assign('r1', { mode: 'iptables' });
    await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
    expect(steps()).toEqual(['ipvs prepares', 'iptables sync', 'ipvs drains']);
  });

  test('waits for connections that drain, reports it, and cuts them when their time is over', async () => {
    await serveIptables();
    draining = 3;
    await assign('r2', { mode: 'ipvs', migration: { strategy: 'PreserveConnections', drainTimeoutSeconds: 1 } });
    dataplane.handleProbeResult('r2', undefined);
    await until('it is reported', () => dataplane.status.conditions?.[0]?.reason === 'Draining');
    await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
    expect(steps().slice(-2)).toEqual(['iptables drains', 'iptables goes']);
    expect(dataplane.status.conditions).toEqual([]);
  });

  test('removes the old mode first with strategy Replace', async () => {
    await serveIptables();
    await assign('r2', { mode: 'ipvs', migration: { strategy: 'Replace', drainTimeoutSeconds: 600 } });
    expect(steps()).toEqual(['iptables goes', 'ipvs sync']);
  });

  describe('rolls back', () => {
    test('when the first sync of the new mode fails', async () => {
      await serveIptables();
      failing.add('ipvs');
      await assign('r2', { mode: 'ipvs' });
      expect(configController.decision.refusal).toEqual({
        reason: 'ModeSwitchFailed',
        message: 'mode ipvs was tried and given up for mode iptables again (RestoreFailed): ipv4: set to fail',
      });
      expect(dataplane.status.accepted?.revision).toBe('r1');
      await served('r1');
      await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
      expect(steps().filter((step) => !step.startsWith('ipvs drains'))).toEqual([
        'iptables prepares',
        'ipvs sync',
        'ipvs prepares',
        'iptables sync',
      ]);
      expect(steps().at(-1)).toBe('ipvs drains');
    });

    test('when the probe of the new mode fails, and does not try again at each decision', async () => {
      await serveIptables();
      await assign('r2', { mode: 'ipvs' });
      dataplane.handleProbeResult('r1', probeFailed);
      dataplane.handleProbeResult('r2', { kind: 'verifying', why: { reason: 'Verifying', message: 'not yet' } });
      expect(dataplane.status.isProbing).toBe(true);
      dataplane.handleProbeResult('r2', probeFailed);
      await until('it went back', () => configController.decision.refusal?.reason === 'ModeSwitchFailed');
      expect(configController.decision.refusal?.message).toContain('ProbeFailed');
      await served('r1');
      await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
      journal = [];
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(journal).toEqual([]);
    });

    test('and goes on following changes in the old mode', async () => {
      await serveIptables();
      failing.add('ipvs');
      await assign('r2', { mode: 'ipvs' });
      await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
      store.setService('default/web', decodeService(service('web')));
      await until('a change is brought in', () => journal.at(-1) === 'iptables sync of default/web');
    });
  });

  test('refuses a mode by its preflight before anything of the old one changes', async () => {
    await serveIptables();
    refusing.add('ipvs');
    await assign('r2', { mode: 'ipvs' });
    expect(configController.decision.refusal?.reason).toBe('KernelModuleMissing');
    expect(journal).toEqual([]);
  });

  test('ends in the mode that was assigned last when a second change comes during the first', async () => {
    await serveIptables();
    const first = assign('r2', { mode: 'ipvs' });
    await until('the first is under way', () => journal.includes('ipvs sync'));
    await Promise.all([first, assign('r3', { mode: 'iptables' })]);
    await served('r3');
    dataplane.handleProbeResult('r3', undefined);
    await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
    expect(steps().at(-1)).toBe('ipvs drains');
  });

  test('takes a mode back that still drains', async () => {
    await serveIptables();
    draining = 1;
    await assign('r2', { mode: 'ipvs' });
    dataplane.handleProbeResult('r2', undefined);
    await until('iptables mode drains', () => journal.includes('iptables drains'));
    await assign('r3', { mode: 'iptables' });
    await served('r3');
    journal = [];
    draining = 0;
    dataplane.handleProbeResult('r3', undefined);
    await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
    expect(steps()).toEqual(['ipvs drains']);
  });

  test('goes on draining when other settings of the same mode are assigned', async () => {
    await serveIptables();
    draining = 1;
    await assign('r2', { mode: 'ipvs' });
    dataplane.handleProbeResult('r2', undefined);
    await assign('r3', { mode: 'ipvs', masquerade: { bit: 15, all: false } });
    await served('r3');
    draining = 0;
    await until('nothing is left of the other mode', () => dataplane.status.areOthersRemoved === true);
    expect(steps().filter((step) => step === 'iptables prepares')).toHaveLength(1);
  });

  describe('after a restart of the agent', () => {
    const saved: DesiredConfig = { ...builtIn(), source: 'Saved', revision: 'saved' };

    test('has a way back where another mode than before is desired', async () => {
      start(saved);
      failing.add('ipvs');
      await assign('r2', { mode: 'ipvs' });
      expect(configController.decision.refusal?.reason).toBe('ModeSwitchFailed');
      await served('saved');
    });

    test('does not serve the saved configuration first where the mode is the same', async () => {
      start(saved);
      await assign('r2', { mode: 'iptables' });
      expect(dataplane.status.accepted?.revision).toBe('r2');
    });
  });

  test('writes nothing when it is stopped while other modes are prepared for its first one', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    preparation = promise;
    const first = assign('r1', { mode: 'iptables' });
    await until('the other mode prepares', () => journal.length > 0);
    const stopped = dataplane.stop(0);
    resolve();
    await Promise.all([first, stopped]);
    expect(dataplane.status.families).toEqual([]);
    expect(steps()).toEqual(['ipvs prepares']);
  });

  test('leaves everything as it is when it is stopped during a change', async () => {
    await serveIptables();
    const change = assign('r2', { mode: 'ipvs' });
    await until('it is under way', () => journal.includes('ipvs sync'));
    await Promise.all([configController.stop(), dataplane.stop(0), change]);
    const before = journal.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(journal).toHaveLength(before);
    expect(journal).not.toContain('iptables goes');
  });
});
