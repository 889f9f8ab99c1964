import { describe, expect, test } from '@jest/globals';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import { type HealthFacts, healthz, isEligible, livez, readyz } from '../../src/agent/healthcheck/health.ts';
import type { SyncStatus } from '../../src/agent/dataplane/syncStatus.ts';
import { node } from '../support/objects.ts';

const accepted = builtIn();
const lastSuccess = new Date('2026-01-02T03:04:05.678Z');
const synced: SyncStatus = {
  family: 'ipv4',
  result: undefined,
  configInForce: accepted.config,
  error: undefined,
  failures: 0,
  drift: undefined,
  drifts: 0,
  lastDriftTime: undefined,
  lastSuccess,
  queuedSince: undefined,
};
const monotonicNow = 1_000_000;
const periodMs = accepted.config.sync.periodSeconds * 1000;

function facts(families: SyncStatus[], others: Partial<HealthFacts> = {}): HealthFacts {
  return {
    dataplane: { accepted, inForce: accepted, families },
    isNodeEligible: true,
    monotonicNow,
    now: new Date('2026-01-02T03:05:00Z'),
    ...others,
  };
}

describe('healthz, livez and readyz', () => {
  const queued = (forMs: number): SyncStatus => ({ ...synced, queuedSince: monotonicNow - forMs });
  const cases: { name: string; facts: HealthFacts; healthz: number; livez: number; readyz: number }[] = [
    { name: 'in sync', facts: facts([synced]), healthz: 200, livez: 200, readyz: 200 },
    { name: 'nothing synced yet, the API server may be away', facts: facts([]), healthz: 503, livez: 200, readyz: 503 },
    {
      name: 'one family not synced yet',
      facts: facts([synced, { ...synced, family: 'ipv6', lastSuccess: undefined }]),
      healthz: 503,
      livez: 200,
      readyz: 503,
    },
    {
      name: 'a change waits for less than two periods',
      facts: facts([queued(2 * periodMs - 1)]),
      healthz: 200,
      livez: 200,
      readyz: 200,
    },
    {
      name: 'a change waits for two periods',
      facts: facts([queued(2 * periodMs)]),
      healthz: 503,
      livez: 503,
      readyz: 503,
    },
    {
      name: 'the Node is on its way out',
      facts: facts([synced], { isNodeEligible: false }),
      healthz: 503,
      livez: 200,
      readyz: 200,
    },
  ];
  test.each(cases)('answer as they should: $name', (expected) => {
    expect({
      healthz: healthz(expected.facts).status,
      livez: livez(expected.facts).status,
      readyz: readyz(expected.facts).status,
    }).toEqual({ healthz: expected.healthz, livez: expected.livez, readyz: expected.readyz });
  });
});

function bodyOf(lastUpdated: string, healthy: boolean): object {
  return {
    lastUpdated,
    currentTime: '2026-01-02T03:05:00.000Z',
    nodeEligible: true,
    healthy,
    status: {
      IPv4: { lastUpdated: '2026-01-02T03:04:05.678Z', healthy: true },
      IPv6: { lastUpdated: '2026-01-02T03:04:01.234Z', healthy },
    },
  };
}

describe("healthz and livez have kube-proxy's body", () => {
  const earlier = new Date('2026-01-02T03:04:01.234Z');
  const stuck: SyncStatus = { ...synced, family: 'ipv6', queuedSince: 0, lastSuccess: earlier };
  const quiet: SyncStatus = { ...synced, family: 'ipv6', lastSuccess: earlier };

  test.each([
    {
      name: 'while one family is stuck, with the last time that any was updated',
      given: facts([synced, stuck]),
      expected: bodyOf('2026-01-02T03:04:05.678Z', false),
    },
    {
      name: 'where nothing has changed for long, with the present time',
      given: facts([synced, quiet]),
      expected: bodyOf('2026-01-02T03:05:00.000Z', true),
    },
  ])('$name', ({ given, expected }) => {
    expect(healthz(given).body).toEqual(expected);
    expect(livez(given).body).toEqual(expected);
  });
});

describe('isEligible', () => {
  test.each([
    { name: 'an ordinary Node', node: node(), expected: true },
    {
      name: 'a Node that is being deleted',
      node: { ...node(), metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      expected: false,
    },
    {
      name: 'a Node that the autoscaler removes',
      node: { ...node(), spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } },
      expected: false,
    },
    {
      name: 'a Node with another taint',
      node: { ...node(), spec: { taints: [{ key: 'dedicated', effect: 'NoSchedule' }] } },
      expected: true,
    },
  ])('decides on $name', ({ node: given, expected }) => {
    expect(isEligible(given)).toBe(expected);
  });
});
