import { describe, expect, test } from '@jest/globals';
import { createSyncMetrics } from '../../src/agent/metrics/syncMetrics.ts';
import type { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import { SyncError } from '../../src/netfilter/errors.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { defaultConfig, node } from '../support/serviceManifests.ts';

const result = {
  full: false,
  servicePortsPlanned: 2,
  linesSent: 9,
  commandsRun: 1,
  services: 3,
  endpoints: 7,
  rulesHash: 'a',
  rulesByTable: { nat: 30, filter: 4 },
};
const run = { result, node, config: defaultConfig, durationMs: 50 };
const loop = (queuedSince?: number): SyncLoop => ({ status: { family: 'ipv4', queuedSince } }) as unknown as SyncLoop;

async function measured(): Promise<{
  value: (line: string) => number | undefined;
  listener: ReturnType<typeof createSyncMetrics>;
  read: () => Promise<void>;
}> {
  const metrics = createAgentMetrics();
  const listener = createSyncMetrics({
    metrics,
    startedAt: Date.now() - 10_000,
  });
  let lines: string[] = [];
  const read = async (): Promise<void> => {
    lines = (await metrics.registry.metrics()).split('\n');
  };
  await read();
  const value = (name: string): number | undefined => {
    const line = lines.find((each) => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length));
  };
  return { value, listener, read };
}

function linear(first: number, width: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + width * index);
}

describe('agent metrics', () => {
  test("kube-proxy's names, so that its dashboards go on working", async () => {
    const { value, listener, read } = await measured();
    listener.onQueued(loop(1), { family: 'ipv4', service: 'default/web', kind: 'endpoints' });
    listener.onQueued(loop(1), { family: 'ipv4', service: 'default/web', kind: 'service' });
    await read();
    expect(value('kubeproxy_sync_proxy_rules_endpoint_changes_pending{ip_family="IPv4"}')).toBe(1);

    const now = Date.now();
    listener.onSuccess(loop(), { ...run, triggerTimes: [now - 2000, now - 60_000] });
    listener.onFailure(loop(), {
      error: new SyncError('ToolFailed', 'x', { tool: 'iptables-restore' }),
      wasFull: false,
      retryInMs: 1000,
    });
    await read();
    const family = '{ip_family="IPv4"}';
    expect({
      syncs: value(`kubeproxy_sync_proxy_rules_duration_seconds_count${family}`),
      partial: value(`kubeproxy_sync_partial_proxy_rules_duration_seconds_count${family}`),
      full: value(`kubeproxy_sync_full_proxy_rules_duration_seconds_count${family}`),
      endpointChanges: value(`kubeproxy_sync_proxy_rules_endpoint_changes_total${family}`),
      serviceChanges: value(`kubeproxy_sync_proxy_rules_service_changes_total${family}`),
      pending: value(`kubeproxy_sync_proxy_rules_endpoint_changes_pending${family}`),
      rules: value('kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}'),
      failures: value(`kubeproxy_sync_proxy_rules_iptables_restore_failures_total${family}`),
      partialFailures: value(`kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total${family}`),
      fragments: value(`proxyconfig_service_ports_planned_total${family}`),
      lines: value(`proxyconfig_lines_sent_total${family}`),
    }).toEqual({
      syncs: 1,
      partial: 1,
      full: undefined,
      endpointChanges: 1,
      serviceChanges: 1,
      pending: 0,
      rules: 30,
      failures: 1,
      partialFailures: 1,
      fragments: 2,
      lines: 9,
    });
    expect(value(`kubeproxy_sync_proxy_rules_last_timestamp_seconds${family}`)).toBeGreaterThan(now / 1000 - 5);
    expect(value(`kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds${family}`)).toBeGreaterThan(now / 1000 - 5);
  });

  describe('failures', () => {
    const rows = [
      {
        name: 'iptables-restore in a partial sync',
        error: new SyncError('ToolFailed', 'x', { tool: 'iptables-restore' }),
        wasFull: false,
        restore: 1,
        partial: 1,
      },
      {
        name: 'iptables-restore in a full sync, for the lock',
        error: new SyncError('LockHeld', 'x', { tool: 'iptables-restore' }),
        wasFull: true,
        restore: 1,
        partial: undefined,
      },
      {
        name: 'iptables-save',
        error: new SyncError('ToolTimedOut', 'x', { tool: 'iptables-save' }),
        wasFull: true,
        restore: undefined,
        partial: undefined,
      },
      {
        name: 'ipvsadm',
        error: new SyncError('ToolFailed', 'x', { tool: 'ipvsadm' }),
        wasFull: false,
        restore: undefined,
        partial: undefined,
      },
      {
        name: 'rules that are not there although the tool said so',
        error: new SyncError('VerificationFailed', 'x'),
        wasFull: true,
        restore: undefined,
        partial: undefined,
      },
    ];
    test.each(rows)('$name', async ({ error, wasFull, restore, partial }) => {
      const { value, listener, read } = await measured();
      listener.onFailure(loop(), { error, wasFull, retryInMs: 1000 });
      await read();
      expect(value(`proxyconfig_sync_failures_total{ip_family="IPv4",reason="${error.reason}"}`)).toBe(1);
      expect(value('kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"}')).toBe(restore);
      expect(value('kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total{ip_family="IPv4"}')).toBe(
        partial,
      );
    });
  });

  test("the latency of changes has kube-proxy's buckets", async () => {
    const { value, listener, read } = await measured();
    listener.onSuccess(loop(), { ...run, triggerTimes: [Date.now()] });
    await read();
    for (const le of [...linear(0.25, 0.25, 2), ...linear(1, 1, 59), ...linear(60, 5, 12), ...linear(120, 30, 7)]) {
      expect([le, value(`kubeproxy_network_programming_duration_seconds_bucket{le="${le}",ip_family="IPv4"}`)]).toEqual(
        [le, 1],
      );
    }
  });

  test('changes from before the agent began do not count as its latency', async () => {
    const { value, listener, read } = await measured();
    const now = Date.now();
    listener.onSuccess(loop(), { ...run, triggerTimes: [now - 2000, now - 60_000] });
    await read();
    expect(value('kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}')).toBe(1);
    expect(value('kubeproxy_network_programming_duration_seconds_bucket{le="5",ip_family="IPv4"}')).toBe(1);
  });
});
