import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { builtIn, type DesiredConfig } from '../../src/agent/config/desiredConfig.ts';
import { Prober, type ProbeSpec } from '../../src/agent/healthcheck/probe.ts';
import { Store } from '../../src/agent/watch/store.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { until } from '../support/until.ts';
import { service } from '../support/objects.ts';
import { silentLogger } from '../support/silentLogger.ts';

const probe: ProbeSpec = {
  periodSeconds: 0.01,
  failureThreshold: 3,
  services: [{ namespace: 'default', name: 'web', port: 80 }],
};
const inForce = (revision: string): DesiredConfig => ({ ...builtIn(), source: 'NodeProxy', revision });

let store: Store;
let dialed: string[];
let answers: (string | undefined)[];
let results: string[];
let prober: Prober;

beforeEach(() => {
  store = new Store();
  store.setService('default/web', decodeService(service('web', { clusterIPs: ['10.96.0.10', 'fd00::10'] })));
  store.setService(
    'default/kubernetes',
    decodeService(service('kubernetes', { clusterIPs: ['10.96.0.1'], port: 443 })),
  );
  store.setService(
    'default/dns',
    decodeService(service('dns', { clusterIPs: ['10.96.0.9'], port: 53, protocol: 'UDP' })),
  );
  dialed = [];
  answers = [];
  results = [];
  prober = newProber();
});
afterEach(() => prober.stop());

function newProber(): Prober {
  return new Prober({
    store,
    logger: silentLogger,
    onResult: (_revision, result) => void results.push(result?.kind ?? 'none'),
    dial: async (address, port) => {
      dialed.push(`${address} ${port}`);
      return answers.shift();
    },
  });
}

const kind = (): string => prober.result?.kind ?? 'none';

function nodeProxy(
  revision: string,
  { asked = probe, status }: { asked?: ProbeSpec | undefined; status?: NodeProxy['status'] } = {},
): NodeProxy {
  const spec = { configRef: { name: 'all', uid: 'u', generation: 1 }, revision, ...(asked && { probe: asked }) };
  return { apiVersion: '', kind: 'NodeProxy', metadata: { name: 'node-1' }, spec, ...(status && { status }) };
}

const readyWith = (revision: string): NodeProxy['status'] => ({
  revision,
  conditions: [{ type: 'Ready', status: 'True', reason: 'Synced', message: '', lastTransitionTime: '' }],
});

describe('Prober', () => {
  test('probes a new revision on each address once it is in force, and succeeds', async () => {
    prober.observe(nodeProxy('r1'), inForce('r0'));
    expect({ kind: kind(), dialed }).toEqual({ kind: 'none', dialed: [] });
    prober.observe(nodeProxy('r1'), inForce('r1'));
    expect(kind()).toBe('trying');
    await until('it has succeeded', () => kind() === 'none');
    expect({ dialed, results }).toEqual({ dialed: ['10.96.0.10 80', 'fd00::10 80'], results: ['none'] });
    prober.observe(nodeProxy('r1'), inForce('r1'));
    expect(kind()).toBe('none');
  });

  test('fails after failureThreshold attempts in a row, and recovers', async () => {
    answers = ['ECONNREFUSED', undefined, 'ECONNREFUSED', undefined, 'ETIMEDOUT', undefined];
    prober.observe(nodeProxy('r1'), inForce('r1'));
    await until('it has recovered', () => results.at(-1) === 'none');
    expect(results).toEqual(['verifying', 'verifying', 'failed', 'none']);
  });

  test('names the Service, the address and the error', async () => {
    answers = ['ECONNREFUSED'];
    prober.observe(nodeProxy('r1', { asked: { ...probe, failureThreshold: 1, periodSeconds: 300 } }), inForce('r1'));
    await until('it has failed', () => kind() === 'failed');
    expect(prober.result).toEqual({
      kind: 'failed',
      why: {
        reason: 'ProbeFailed',
        message: 'probe of Service default/web port 80: no connection from this node to 10.96.0.10: ECONNREFUSED',
      },
    });
  });

  describe('does not probe', () => {
    test('a revision that was Ready before the agent was restarted', () => {
      prober.observe(nodeProxy('r1', { status: readyWith('r1') }), inForce('r1'));
      expect(kind()).toBe('none');
    });

    test('the revision that a node is rolled back to', async () => {
      prober.observe(nodeProxy('r1', { status: readyWith('r1') }), inForce('r1'));
      answers = Array.from({ length: 1000 }, () => 'ECONNREFUSED');
      prober.observe(nodeProxy('r2'), inForce('r2'));
      await until('it has failed', () => kind() === 'failed');
      prober.observe(nodeProxy('r1'), inForce('r2'));
      prober.observe(nodeProxy('r1'), inForce('r1'));
      expect(kind()).toBe('none');
    });

    test('a revision without a probe, even if one is added later', () => {
      prober.observe(
        { ...nodeProxy('r1'), spec: { ...nodeProxy('r1').spec, probe: undefined } as unknown as NodeProxy['spec'] },
        inForce('r1'),
      );
      prober.observe(nodeProxy('r1'), inForce('r1'));
      expect({ kind: kind(), dialed }).toEqual({ kind: 'none', dialed: [] });
    });
  });

  test.each([
    {
      name: 'none named, so that of the API server',
      services: undefined,
      tries: ['10.96.0.1 443'],
      problem: undefined,
    },
    {
      name: 'a UDP port, which is skipped',
      services: [{ namespace: 'default', name: 'dns', port: 53 }],
      tries: [],
      problem: undefined,
    },
    {
      name: 'a Service that does not exist',
      services: [{ namespace: 'default', name: 'wbe', port: 80 }],
      tries: [],
      problem: 'there is no such Service',
    },
    {
      name: 'a port that the Service does not have',
      services: [{ namespace: 'default', name: 'web', port: 81 }],
      tries: [],
      problem: 'the Service has no such port',
    },
  ])('probes the Services of the spec: $name', async ({ services, tries, problem }) => {
    prober.observe(
      nodeProxy('r1', { asked: { periodSeconds: 300, failureThreshold: 1, ...(services && { services }) } }),
      inForce('r1'),
    );
    await until('there is an answer', () => results.length > 0);
    expect(dialed).toEqual(tries);
    const { result } = prober;
    expect(result !== undefined && 'why' in result ? result.why.message : '').toContain(problem ?? '');
    expect(result === undefined).toBe(problem === undefined);
  });

  test('makes real connections: one is accepted, one is refused', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    store.setService('default/web', decodeService(service('web', { clusterIPs: ['127.0.0.1'], port })));
    prober = new Prober({
      store,
      logger: silentLogger,
      onResult: (_revision, result) => void results.push(result?.kind ?? 'none'),
    });
    const asked = { periodSeconds: 300, failureThreshold: 1, services: [{ namespace: 'default', name: 'web', port }] };
    prober.observe(nodeProxy('r1', { asked }), inForce('r1'));
    await until('there is an answer', () => results.length > 0);
    server.close();
    await once(server, 'close');
    prober.observe(nodeProxy('r2', { asked }), inForce('r2'));
    await until('there is another', () => results.length > 1);
    expect(results).toEqual(['none', 'failed']);
  });
});
