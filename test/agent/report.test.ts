import { describe, expect, test } from '@jest/globals';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import { type Facts, isSameReport, isSettled, nodeProxyStatus } from '../../src/agent/status/report.ts';
import type { InvalidService } from '../../src/agent/watch/store.ts';
import type { SyncStatus } from '../../src/agent/dataplane/syncStatus.ts';
import { nodeproxySchema } from '../../src/api/generated/schemas.ts';
import { validateObject } from '../../src/api/validation.ts';
import { SyncError } from '../../src/netfilter/errors.ts';

const config = builtIn();
const now = new Date('2026-01-02T03:04:05.678Z');
const result = {
  full: true,
  servicePortsPlanned: 3,
  linesSent: 30,
  commandsRun: 1,
  services: 3,
  endpoints: 7,
  rulesHash: 'abcdef0123456789abcdef',
  rulesByTable: { nat: 30 },
};
const synced: SyncStatus = {
  family: 'ipv4',
  result,
  configInForce: config.config,
  error: undefined,
  failures: 0,
  drift: undefined,
  drifts: 0,
  lastDriftTime: undefined,
  lastSuccess: now,
  queuedSince: undefined,
};
const failed = (failures: number): SyncStatus => ({
  ...synced,
  failures,
  error: new SyncError('RestoreFailed', 'iptables-restore ended with 2', { cause: new Error("tool's words") }),
});
const neverWorked: SyncStatus = { ...failed(1), lastSuccess: undefined, result: undefined, configInForce: undefined };
const refusal = {
  reason: 'ModeNotAvailable',
  message: 'this agent does not have mode ipvs; set spec.mode to iptables',
};

function facts({ family = synced, ...others }: Partial<Facts> & { family?: SyncStatus } = {}): Facts {
  const inForce = family.configInForce === undefined ? undefined : config;
  return {
    agentVersion: '1',
    kernel: '6.18',
    generation: 4,
    dataplane: { accepted: config, inForce, families: [family] },
    refusal: undefined,
    invalidServices: [],
    selfServedAddress: undefined,
    ...others,
  };
}

describe('nodeProxyStatus', () => {
  describe('sets state and Ready', () => {
    const cases: {
      name: string;
      facts: Facts;
      state: string;
      ready: [string, string];
      settled?: boolean;
      message?: string;
    }[] = [
      { name: 'all is programmed', facts: facts(), state: 'Ready', ready: ['True', 'Synced'] },
      {
        name: 'all is programmed but a Service that the kernel refused',
        facts: facts({
          family: {
            ...synced,
            result: { ...result, quarantined: [{ service: 'a/b', reason: 'KernelRefused', message: '' }] },
          },
        }),
        state: 'Ready',
        ready: ['True', 'Synced'],
        message: 'all Services but 1 that it refused',
      },
      {
        name: 'one sync failed after a success, and is retried',
        facts: facts({ family: failed(1) }),
        state: 'Ready',
        ready: ['True', 'Synced'],
      },
      {
        name: 'two syncs failed in a row',
        facts: facts({ family: failed(2) }),
        state: 'Degraded',
        ready: ['False', 'RestoreFailed'],
        message: 'iptables-restore ended with 2',
      },
      {
        name: 'the first sync failed',
        facts: facts({ family: neverWorked }),
        state: 'Degraded',
        ready: ['False', 'RestoreFailed'],
      },
      {
        name: 'nothing was tried yet',
        facts: facts({ family: { ...synced, configInForce: undefined, lastSuccess: undefined, result: undefined } }),
        state: 'Pending',
        ready: ['False', 'Pending'],
        settled: false,
      },
      {
        name: 'a configuration is refused',
        facts: facts({ refusal }),
        state: 'Degraded',
        ready: ['False', 'ModeNotAvailable'],
        message: `set spec.mode to iptables. Still in force: mode iptables, revision ${config.revision}.`,
      },
      {
        name: 'the first attempt of the probe is not over',
        facts: facts({ probe: { kind: 'trying' } }),
        state: 'Ready',
        ready: ['True', 'Synced'],
        settled: false,
      },
      {
        name: 'an attempt of the probe has failed',
        facts: facts({ probe: { kind: 'verifying', why: { reason: 'Verifying', message: 'no connection' } } }),
        state: 'Verifying',
        ready: ['False', 'Verifying'],
        message: 'no connection',
      },
      {
        name: 'the probe has failed',
        facts: facts({ probe: { kind: 'failed', why: { reason: 'ProbeFailed', message: 'no connection' } } }),
        state: 'Degraded',
        ready: ['False', 'ProbeFailed'],
        message: 'no connection',
      },
      {
        name: 'drift is only reported',
        facts: facts({ family: { ...synced, drift: 'chain missing', drifts: 1, lastDriftTime: now } }),
        state: 'Drifted',
        ready: ['True', 'Synced'],
      },
      {
        name: 'a configuration is accepted and not in force yet',
        facts: facts({ dataplane: { accepted: builtIn(), inForce: config, families: [synced] } }),
        state: 'Ready',
        ready: ['True', 'Synced'],
        settled: false,
      },
    ];
    test.each(cases)('when $name', ({ facts: given, state, ready, settled = true, message = '' }) => {
      const status = nodeProxyStatus(given, undefined, now);
      const condition = status.conditions?.find(({ type }) => type === 'Ready');
      expect({ state: status.state, ready: [condition?.status, condition?.reason], settled: isSettled(given) }).toEqual(
        {
          state,
          ready,
          settled,
        },
      );
      expect(condition?.message).toContain(message);
      expect(JSON.stringify(status)).not.toContain("tool's words");
    });
  });

  test('gives mode, revision and counts in force, also while another configuration is refused', () => {
    const status = nodeProxyStatus(facts({ refusal, family: { ...synced, drifts: 2 } }), { revision: 'older' }, now);
    expect(status).toMatchObject({
      observedGeneration: 4,
      mode: 'iptables',
      revision: config.revision,
      previousRevision: 'older',
      agentVersion: '1',
      kernel: '6.18',
      lastChangeTime: '2026-01-02T03:04:05Z',
      dataplane: { services: 3, endpoints: 7, rulesHash: 'abcdef0123456789', drifts: 2, quarantinedCount: 0 },
    });
  });

  test('names the last error without the output of a tool, and drops it after a success', () => {
    expect(nodeProxyStatus(facts({ family: failed(1) }), undefined, now).dataplane?.lastError).toBe(
      'RestoreFailed: iptables-restore ended with 2',
    );
    expect(nodeProxyStatus(facts(), undefined, now).dataplane).not.toHaveProperty('lastError');
  });

  test('sums up both families: Services once, endpoints together', () => {
    const six: SyncStatus = {
      ...synced,
      family: 'ipv6',
      result: { ...result, services: 2, endpoints: 5, rulesHash: '66' },
    };
    const status = nodeProxyStatus(
      facts({ dataplane: { accepted: config, inForce: config, families: [synced, six] } }),
      undefined,
      now,
    );
    expect(status.dataplane).toMatchObject({ services: 3, endpoints: 12, rulesHash: 'abcdef0123456789-66' });
  });

  test('warns where the agent reaches the API server through a Service that it programs itself', () => {
    const condition = nodeProxyStatus(facts({ selfServedAddress: '10.96.0.1' }), undefined, now).conditions?.find(
      ({ type }) => type === 'BootstrapAddress',
    );
    expect(condition).toMatchObject({
      status: 'False',
      reason: 'ServiceAddress',
      message: expect.stringContaining('10.96.0.1'),
    });
  });

  test('stays within the bounds of the API, whatever happens', () => {
    const longName = 'x'.repeat(63);
    const invalid = Array.from({ length: 200 }, (_, index): InvalidService => ({
      service: `${longName}/${index}${longName}`,
      reason: 'InvalidService',
      message: 'ü'.repeat(1000),
    }));
    const longError = { ...failed(2), error: new SyncError('RestoreFailed', 'ß'.repeat(5000)) };
    const given = facts({
      family: longError,
      invalidServices: invalid,
      selfServedAddress: 'fd00::1',
      kernel: 'k'.repeat(100),
      refusal: { reason: 'ConfigInvalid', message: 'y'.repeat(5000) },
    });
    const status = nodeProxyStatus(given, undefined, now);
    const spec = { configRef: { name: 'a', uid: 'b', generation: 1 }, revision: 'r' };
    expect(
      validateObject(
        { apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy', metadata: { name: 'n' }, spec, status },
        nodeproxySchema,
      ),
    ).toEqual([]);
    expect(status.dataplane?.quarantinedCount).toBe(200);
    expect(status.dataplane?.quarantined).toHaveLength(10);
    expect(Array.from(status.dataplane?.lastError ?? '')).toHaveLength(512);
  });

  test('tells two Services apart whose names are cut', () => {
    const invalidServices = ['1', '2'].map((end) => ({
      service: `shop/${'x'.repeat(63)}-${end}`,
      reason: 'InvalidEndpointSlice',
      message: `\u{1f600}${'x'.repeat(254)}\u{1f600}\u{1f600}`,
    }));
    const { quarantined = [] } = nodeProxyStatus(facts({ invalidServices }), undefined, now).dataplane ?? {};
    expect(new Set(quarantined.map(({ name }) => name)).size).toBe(2);
    expect(quarantined.map(({ name, message }) => [name.length, message])).toEqual(
      Array.from({ length: 2 }, () => [63, `\u{1f600}${'x'.repeat(254)}…`]),
    );
  });

  test('is equal for equal facts, and its time stays', () => {
    const first = nodeProxyStatus(facts(), undefined, now);
    const second = nodeProxyStatus(facts(), first, new Date(now.getTime() + 60_000));
    expect(second).toEqual(first);
    const third = nodeProxyStatus(facts({ generation: 5 }), first, new Date(now.getTime() + 60_000));
    expect(isSameReport(third, first)).toBe(false);
    expect(third.lastChangeTime).toBe('2026-01-02T03:05:05Z');
    expect(third.conditions?.[0]?.lastTransitionTime).toBe('2026-01-02T03:04:05Z');
  });
});
