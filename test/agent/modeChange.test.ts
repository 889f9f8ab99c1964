/**
 * A node that changes its mode, with backends that only write down what they are asked: who is asked what, in which
 * order, and what is said of it.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Dataplane } from '../../src/agent/dataplane.ts';
import { builtIn, type DesiredConfig } from '../../src/agent/desiredConfig.ts';
import { ConfigController } from '../../src/agent/configController.ts';
import { Store } from '../../src/agent/store.ts';
import type { NodeConfig, ProxyMode } from '../../src/api/nodeConfig.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { DrainResult, DrainRequest, SyncRequest, SyncResult } from '../../src/backend/backend.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { until } from '../support/until.ts';
import { node, service } from '../support/objects.ts';
import { RecordingBackend } from './recordingBackend.ts';
import { silentLogger } from '../support/silentLogger.ts';

/**
 * What all backends were asked for, in order, such as `ipvs sync`. A backend keeps what it is told between its
 * instances, as a kernel does.
 */
let journal: string[];
let failing: Set<ProxyMode>;
let refusing: Set<ProxyMode>;
let draining: number;

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
    journal.push(`${this.#mode} steps aside`);
    return Promise.resolve();
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
    makeBackend: (mode) =>
      mode === 'iptables' || mode === 'ipvs' ? new JournalBackend(mode) : { reason: 'ModeNotAvailable', message: mode },
    observer: {
      onQueued: () => undefined,
      onSuccess: () => undefined,
      onFailure: () => undefined,
      onDrift: () => undefined,
    },
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
  store = new Store();
  store.setNode(decodeNode(node()).record);
  start();
});

afterEach(async () => {
  await Promise.all([configController.stop(), dataplane.stop(0)]);
});

let generation = 0;
function tell(revision: string, config: Partial<NodeConfig>): Promise<void> {
  generation += 1;
  const spec = {
    configRef: { name: 'default', uid: 'u', generation },
    revision,
    config: { ...builtIn().config, ...config },
  };
  const told: NodeProxy = {
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    metadata: { name: 'node-1', uid: 'n', generation },
    spec,
  };
  configController.setNodeProxy(told);
  return configController.decide();
}

async function served(revision: string): Promise<void> {
  await until(`${revision} is in force`, () => dataplane.status.inForce?.revision === revision);
}

/** In iptables mode, with nothing left of another one, and an empty journal. */
async function serveIptables(): Promise<void> {
  await tell('r1', { mode: 'iptables' });
  await served('r1');
  await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
  journal = [];
}

/** Equal entries beside each other are the families, or looks at the same state. */
function steps(): readonly string[] {
  return journal.filter((entry, index) => entry !== journal[index - 1]);
}

test('the new mode is complete before the old one goes', async () => {
  await serveIptables();
  await tell('r2', { mode: 'ipvs' });
  expect(dataplane.status).toMatchObject({
    inForce: { revision: 'r2' },
    accepted: { revision: 'r2' },
    isProbing: true,
  });
  expect(steps()).toEqual(['iptables steps aside', 'ipvs sync']);
  dataplane.handleProbeResult('r2', undefined);
  await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
  expect(steps()).toEqual(['iptables steps aside', 'ipvs sync', 'iptables drains']);
  expect(dataplane.status.isProbing).toBe(false);
});

test('what another mode left before the agent started goes when the wanted one stands', async () => {
  await tell('r1', { mode: 'iptables' });
  await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
  expect(steps()).toEqual(['ipvs steps aside', 'iptables sync', 'ipvs drains']);
});

test('connections that drain are waited for, said so, and cut when their time is over', async () => {
  await serveIptables();
  draining = 3;
  await tell('r2', { mode: 'ipvs', migration: { strategy: 'PreserveConnections', drainTimeoutSeconds: 1 } });
  dataplane.handleProbeResult('r2', undefined);
  await until('it is said', () => (dataplane.status.conditions ?? []).length > 0);
  expect(dataplane.status.conditions).toMatchObject([{ type: 'OldModeRemoved', status: 'False', reason: 'Draining' }]);
  await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
  expect(steps().slice(-2)).toEqual(['iptables drains', 'iptables goes']);
  expect(dataplane.status.conditions).toEqual([]);
});

test('strategy Replace removes the old mode first', async () => {
  await serveIptables();
  await tell('r2', { mode: 'ipvs', migration: { strategy: 'Replace', drainTimeoutSeconds: 600 } });
  expect(steps()).toEqual(['iptables goes', 'ipvs sync']);
});

describe('goes back', () => {
  test('when the first sync of the new mode fails', async () => {
    await serveIptables();
    failing.add('ipvs');
    await tell('r2', { mode: 'ipvs' });
    expect(configController.decision.refusal).toEqual({
      reason: 'ModeSwitchFailed',
      message: 'mode ipvs was tried and given up for mode iptables again (RestoreFailed): ipv4: told to fail',
    });
    expect(dataplane.status.accepted?.revision).toBe('r1');
    await served('r1');
    await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
    expect(steps().filter((step) => !step.startsWith('ipvs drains'))).toEqual([
      'iptables steps aside',
      'ipvs sync',
      'ipvs steps aside',
      'iptables sync',
    ]);
    expect(steps().at(-1)).toBe('ipvs drains');
  });

  test('when its probe fails, and does not try again each time it is asked', async () => {
    await serveIptables();
    await tell('r2', { mode: 'ipvs' });
    dataplane.handleProbeResult('r1', {
      kind: 'failed',
      why: { reason: 'ProbeFailed', message: 'of another revision' },
    });
    dataplane.handleProbeResult('r2', { kind: 'verifying', why: { reason: 'Verifying', message: 'not yet' } });
    expect(dataplane.status.isProbing).toBe(true);
    dataplane.handleProbeResult('r2', { kind: 'failed', why: { reason: 'ProbeFailed', message: 'no connection' } });
    await until('it went back', () => configController.decision.refusal?.reason === 'ModeSwitchFailed');
    expect(configController.decision.refusal?.message).toContain('ProbeFailed');
    await served('r1');
    await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
    journal = [];
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(journal).toEqual([]);
  });

  test('and the old mode goes on following changes', async () => {
    await serveIptables();
    failing.add('ipvs');
    await tell('r2', { mode: 'ipvs' });
    await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
    store.setService('default/web', decodeService(service('web')));
    await until('a change is brought in', () => journal.at(-1) === 'iptables sync of default/web');
  });
});

test('preflight refuses a mode before anything of the old one is touched', async () => {
  await serveIptables();
  refusing.add('ipvs');
  await tell('r2', { mode: 'ipvs' });
  expect(configController.decision.refusal?.reason).toBe('KernelModuleMissing');
  expect(journal).toEqual([]);
});

test('a second change in the middle of the first ends in the mode that was told last', async () => {
  await serveIptables();
  const first = tell('r2', { mode: 'ipvs' });
  await until('the first is under way', () => journal.includes('ipvs sync'));
  await Promise.all([first, tell('r3', { mode: 'iptables' })]);
  await served('r3');
  dataplane.handleProbeResult('r3', undefined);
  await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
  expect(steps().at(-1)).toBe('ipvs drains');
});

test('a change in mid-drain takes the mode back that drained', async () => {
  await serveIptables();
  draining = 1;
  await tell('r2', { mode: 'ipvs' });
  dataplane.handleProbeResult('r2', undefined);
  await until('iptables mode drains', () => journal.includes('iptables drains'));
  await tell('r3', { mode: 'iptables' });
  await served('r3');
  journal = [];
  draining = 0;
  dataplane.handleProbeResult('r3', undefined);
  await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
  expect(steps()).toEqual(['ipvs drains']);
});

test('other settings of the same mode do not disturb a drain', async () => {
  await serveIptables();
  draining = 1;
  await tell('r2', { mode: 'ipvs' });
  dataplane.handleProbeResult('r2', undefined);
  await tell('r3', { mode: 'ipvs', masquerade: { bit: 15, all: false } });
  await served('r3');
  draining = 0;
  await until('nothing is left of the other mode', () => dataplane.status.othersRemoved === true);
  expect(steps().filter((step) => step === 'iptables steps aside')).toHaveLength(1);
});

describe('an agent that starts', () => {
  const saved: DesiredConfig = { ...builtIn(), source: 'Saved', revision: 'saved' };

  test('with another mode than was in force has the way back', async () => {
    start(saved);
    failing.add('ipvs');
    await tell('r2', { mode: 'ipvs' });
    expect(configController.decision.refusal?.reason).toBe('ModeSwitchFailed');
    await served('saved');
  });

  test('with the same mode does not serve the saved configuration first', async () => {
    start(saved);
    await tell('r2', { mode: 'iptables' });
    expect(dataplane.status.accepted?.revision).toBe('r2');
  });
});

test('an end in the middle of a change leaves everything as it is', async () => {
  await serveIptables();
  const change = tell('r2', { mode: 'ipvs' });
  await until('it is under way', () => journal.includes('ipvs sync'));
  await Promise.all([configController.stop(), dataplane.stop(0), change]);
  const before = journal.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(journal).toHaveLength(before);
  expect(journal).not.toContain('iptables goes');
});
