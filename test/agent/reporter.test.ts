import { beforeEach, describe, expect, test } from '@jest/globals';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import { type ReportInputs, Reporter, selfServedAddress } from '../../src/agent/status/reporter.ts';
import { Store } from '../../src/agent/watch/store.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { SyncError } from '../../src/netfilter/errors.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { service } from '../support/objects.ts';

let written: string[];
let reporter: Reporter;

beforeEach(() => {
  written = [];
  const writer = {
    write: (status: object, { urgent = false } = {}) => {
      const { observedGeneration, state } = status as NonNullable<NodeProxy['status']>;
      written.push(`${observedGeneration} ${state}${urgent ? ' urgent' : ''}`);
    },
    forget: () => written.push('forget'),
    stop: () => Promise.resolve(),
  };
  reporter = new Reporter(writer, { agentVersion: '1', kernel: '6.18' });
});

const config = builtIn();

interface Given {
  readonly generation?: number;
  readonly uid?: string;
  readonly services?: number;
  readonly failures?: number;
  readonly pending?: boolean;
  readonly before?: NodeProxy['status'];
}

function inputs({
  generation = 1,
  uid = 'n',
  services = 1,
  failures = 0,
  pending = false,
  before,
}: Given = {}): ReportInputs {
  const spec = { configRef: { name: 'default', uid: 'u', generation }, revision: config.revision };
  const nodeProxy: NodeProxy = {
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    metadata: { name: 'node-1', uid, generation },
    spec,
    ...(before === undefined ? {} : { status: before }),
  };
  const result = {
    full: true,
    servicePortsPlanned: 0,
    linesSent: 0,
    commandsRun: 0,
    services,
    endpoints: 0,
    rulesHash: 'a',
    rulesByTable: {},
  };
  const error = failures > 0 ? new SyncError('RestoreFailed', 'failed') : undefined;
  const family = {
    family: 'ipv4',
    result,
    configInForce: config.config,
    error,
    failures,
    drift: undefined,
    drifts: 0,
    lastDriftTime: undefined,
    lastSuccess: new Date(0),
    queuedSince: undefined,
  } as const;
  const dataplane = { accepted: pending ? builtIn() : config, inForce: config, families: [family] };
  return { decision: { nodeProxy, refusal: undefined }, dataplane, invalidServices: [], selfServedAddress: undefined };
}

describe('Reporter', () => {
  test('writes nothing without a NodeProxy', () => {
    reporter.report({ ...inputs(), decision: { nodeProxy: undefined, refusal: undefined } });
    expect(written).toEqual([]);
  });

  test('writes nothing before the outcome of the configuration is known', () => {
    reporter.report(inputs({ pending: true }));
    expect(written).toEqual([]);
  });

  test('writes the first Ready and the answer to a new generation at once, the rest later, and nothing twice', () => {
    reporter.report(inputs());
    reporter.report(inputs());
    reporter.report(inputs({ services: 2 }));
    reporter.report(inputs({ generation: 2, services: 2 }));
    reporter.report(inputs({ generation: 2, failures: 2 }));
    reporter.report(inputs({ generation: 2 }));
    expect(written).toEqual(['forget', '1 Ready urgent', '1 Ready', '2 Ready urgent', '2 Degraded', '2 Ready']);
  });

  test('writes a failure at the start, and the first Ready after it at once', () => {
    reporter.report(inputs({ failures: 2, before: { observedGeneration: 1, state: 'Ready' } }));
    reporter.report(inputs());
    expect(written).toEqual(['forget', '1 Degraded', '1 Ready urgent']);
  });

  test('writes everything to a NodeProxy that was made anew', () => {
    reporter.report(inputs());
    reporter.report(inputs({ uid: 'another' }));
    expect(written).toEqual(['forget', '1 Ready urgent', 'forget', '1 Ready urgent']);
  });
});

describe('selfServedAddress', () => {
  test.each([
    { server: 'https://10.96.0.1:443', expected: '10.96.0.1' },
    { server: 'https://[fd00:0::1]:443', expected: 'fd00::1' },
    { server: 'https://192.0.2.1:6443', expected: undefined },
    { server: 'https://api.example.com:6443', expected: undefined },
    { server: 'https://kubernetes.default.svc', expected: 'kubernetes.default.svc' },
  ])('is $expected for $server', ({ server, expected }) => {
    const store = new Store();
    store.setService(
      'default/kubernetes',
      decodeService(service('kubernetes', { clusterIPs: ['10.96.0.1', 'fd00::1'] })),
    );
    expect(selfServedAddress(server, store)).toBe(expected);
  });
});
