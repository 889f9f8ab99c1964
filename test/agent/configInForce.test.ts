/**
 * A configuration on its way into force, and what hangs on it, with backends that only record their calls. Nobody reads
 * the facts, and `onChange` does nothing, as if nothing were ever reported.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ConfigInForce } from '../../src/agent/config/configInForce.ts';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import { Store } from '../../src/agent/watch/store.ts';
import type { ProxyMode } from '../../src/api/nodeConfig.ts';
import type { DrainResult } from '../../src/backend/backend.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { assignedNodeProxy } from '../support/assignedNodeProxy.ts';
import { node, service } from '../support/objects.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { until } from '../support/until.ts';
import { RecordingBackend } from './recordingBackend.ts';
import { noOtherProxies } from '../support/noOtherProxies.ts';

class RemovableBackend extends RecordingBackend {
  drainAndRemove(): Promise<DrainResult> {
    return Promise.resolve({ removed: [], draining: 0 });
  }
}

let stateDirectory: string;
let store: Store;
let inForce: ConfigInForce;
/** The last one made of each mode. */
let backends: Map<ProxyMode, RemovableBackend>;
/** Of what each sync that succeeded found in force, e.g. `r1` or `r2 on probation`. */
let seen: string[];
/** A probe has its answer after this. */
let dialing: Promise<void>;
let answer: string | undefined;
let dials: number;
let written: string[];
let generation = 0;

beforeEach(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-in-force-'));
  answer = undefined;
  dials = 0;
  written = [];
  backends = new Map();
  seen = [];
  dialing = Promise.resolve();
  store = new Store();
  store.setNode(decodeNode(node()).record);
  store.setService('default/web', decodeService(service('web')));
  inForce = new ConfigInForce({
    store,
    stateDirectory,
    otherProxies: noOtherProxies,
    makeBackend: (mode) => {
      if (mode !== 'iptables' && mode !== 'ipvs') return { reason: 'ModeNotAvailable', message: mode };
      const backend = new RemovableBackend();
      backends.set(mode, backend);
      return backend;
    },
    sysctls: {
      read: () => Promise.resolve(undefined),
      write: (name, value) => {
        written.push(`${name} ${value}`);
        return Promise.resolve();
      },
    },
    listeners: [{ onSuccess: () => void seen.push(nowInForce()) }],
    logger: silentLogger,
    onChange: () => undefined,
    dial: async () => {
      dials += 1;
      await dialing;
      return answer;
    },
    timing: { settleMs: 5, pollMs: 10, retryMs: 10 },
    saveRetryMs: 10,
  });
  await inForce.load();
});

afterEach(async () => {
  await inForce.stop(0);
  await rm(stateDirectory, { recursive: true });
});

interface Wanted {
  readonly udpTimeoutSeconds?: number;
  readonly failureThreshold?: number;
}

async function assign(
  revision: string,
  mode: ProxyMode,
  { udpTimeoutSeconds = 30, failureThreshold = 3 }: Wanted = {},
): Promise<void> {
  const services = [{ namespace: 'default', name: 'web', port: 80 }];
  const probe = { periodSeconds: 0.01, failureThreshold, services };
  generation += 1;
  const { conntrack } = builtIn().config;
  const nodeProxy = assignedNodeProxy({
    revision,
    generation,
    config: { mode, conntrack: { ...conntrack, udpTimeoutSeconds } },
  });
  inForce.setNodeProxy({ ...nodeProxy, spec: { ...nodeProxy.spec, probe } });
  await inForce.start();
}

function nowInForce(): string {
  const { inForce: found, isProbing } = inForce.dataplane.status;
  return `${found?.revision}${isProbing === true ? ' on probation' : ''}`;
}

/** The reason for which what runs could not be saved. */
const saving = (): string[] =>
  inForce.facts.conditions.flatMap(({ type, reason }) => (type === 'ConfigSaved' ? [reason] : []));
const revisionInForce = (): string | undefined => inForce.dataplane.status.inForce?.revision;
const savedRevision = async (): Promise<unknown> =>
  readFile(path.join(stateDirectory, 'last-good-config.json'), 'utf8').then(
    (text) => (JSON.parse(text) as { revision: string }).revision,
    () => undefined,
  );

async function serveIptables(): Promise<void> {
  await assign('r1', 'iptables');
  await until('r1 is saved', async () => (await savedRevision()) === 'r1');
}

describe('ConfigInForce', () => {
  test('completes a change of mode whose probe succeeds, and saves it then', async () => {
    await serveIptables();
    answer = 'ECONNREFUSED';
    await assign('r2', 'ipvs', { failureThreshold: 10_000 });
    await until('it is tried', () => dials > 1);
    expect(inForce.dataplane.status).toMatchObject({ inForce: { revision: 'r2' }, isProbing: true });
    expect(await savedRevision()).toBe('r1');
    answer = undefined;
    await until('it is saved', async () => (await savedRevision()) === 'r2');
    expect(inForce.dataplane.status.isProbing).toBe(false);
    await until('nothing is left of the other mode', () => inForce.dataplane.status.areOthersRemoved === true);
  });

  test('says so while what runs could not be saved, and saves it when it can', async () => {
    await serveIptables();
    const obstacle = path.join(stateDirectory, 'last-good-config.json.tmp');
    expect(saving()).toEqual([]);
    await mkdir(obstacle);
    await assign('r2', 'iptables', { udpTimeoutSeconds: 77 });
    await until('it is told', () => saving().length > 0);
    expect({ saving: saving(), saved: await savedRevision(), inForce: revisionInForce() }).toEqual({
      saving: ['SaveFailed'],
      saved: 'r1',
      inForce: 'r2',
    });
    await rm(obstacle, { recursive: true });
    await until('r2 is saved', async () => (await savedRevision()) === 'r2');
    await until('nothing is told any more', () => saving().length === 0);
  });

  test('goes back to the mode before when the probe fails, and never saves the new one', async () => {
    await serveIptables();
    answer = 'ECONNREFUSED';
    await assign('r2', 'ipvs');
    await until('it went back', () => revisionInForce() === 'r1' && inForce.facts.decision?.refusal !== undefined);
    expect(inForce.facts.decision?.refusal?.reason).toBe('ModeSwitchFailed');
    expect(dials).toBeGreaterThanOrEqual(3);
    await inForce.stop(0);
    expect(await savedRevision()).toBe('r1');
  });

  test('keeps a mode on probation that is given up, also where a sync of it succeeds meanwhile', async () => {
    await serveIptables();
    const { promise, resolve } = Promise.withResolvers<void>();
    dialing = promise;
    answer = 'ECONNREFUSED';
    await assign('r2', 'ipvs', { failureThreshold: 1 });
    await until('it is tried', () => dials > 1);
    const ipvs = backends.get('ipvs');
    if (ipvs === undefined) throw new Error('ipvs mode does not serve');
    // The probe fails while a sync of the mode is running.
    ipvs.durationMs = 100;
    const sync = ipvs.sync.bind(ipvs);
    ipvs.sync = (request) => {
      seen = [];
      resolve();
      return sync(request);
    };
    store.setService('default/more', decodeService(service('more', { clusterIPs: ['10.96.0.11'] })));
    await until('it went back', () => inForce.facts.decision?.refusal !== undefined && revisionInForce() === 'r1');
    expect(seen[0]).toBe('r2 on probation');
  });

  test('completes a change of mode without a probe', async () => {
    await serveIptables();
    generation += 1;
    inForce.setNodeProxy(assignedNodeProxy({ revision: 'r2', generation, config: { mode: 'ipvs' } }));
    await until('it is saved', async () => (await savedRevision()) === 'r2');
    expect(inForce.dataplane.status.isProbing).toBe(false);
  });

  test('applies the settings of connection tracking of what came into force', async () => {
    await serveIptables();
    await assign('r2', 'iptables', { udpTimeoutSeconds: 77 });
    await until('it is written', () => written.includes('net/netfilter/nf_conntrack_udp_timeout 77'));
  });
});
