import { expect, test } from '@jest/globals';
import { createSyncObserver } from '../../src/agent/syncObserver.ts';
import type { SyncLoop } from '../../src/agent/syncLoop.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';

const silent = { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined };
const result = { full: false, fragmentsComputed: 2, linesSent: 9, commandsRun: 1, services: 3, endpoints: 7, rulesHash: 'a', rulesByTable: { nat: 30, filter: 4 } };
const loop = (queuedSince?: number): SyncLoop => ({ status: { family: 'ipv4', queuedSince } }) as unknown as SyncLoop;

async function measured(): Promise<{ value: (line: string) => number | undefined; observer: ReturnType<typeof createSyncObserver>; read: () => Promise<void> }> {
  const metrics = createAgentMetrics();
  const observer = createSyncObserver({ metrics, logger: silent, startedAt: Date.now() - 10_000, onNews: () => undefined, followers: { onStart: () => undefined, onSuccess: () => undefined } });
  let lines: string[] = [];
  const read = async (): Promise<void> => {
    lines = (await metrics.registry.metrics()).split('\n');
  };
  await read();
  const value = (name: string): number | undefined => {
    const line = lines.find((each) => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length));
  };
  return { value, observer, read };
}

test("kube-proxy's names, so that its dashboards go on working", async () => {
  const { value, observer, read } = await measured();
  observer.onQueued(loop(1), { family: 'ipv4', service: 'default/web', kind: 'endpoints' });
  observer.onQueued(loop(1), { family: 'ipv4', service: 'default/web', kind: 'service' });
  await read();
  expect(value('kubeproxy_sync_proxy_rules_endpoint_changes_pending{ip_family="IPv4"}')).toBe(1);

  const now = Date.now();
  observer.onSuccess(loop(), { result, durationMs: 50, triggerTimes: [now - 2000, now - 60_000] });
  observer.onFailure(loop(), { error: Object.assign(new Error('x'), { reason: 'RestoreFailed' }), wasFull: false, retryInMs: 1000 });
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
    fragments: value(`proxyconfig_fragments_computed_total${family}`),
    lines: value(`proxyconfig_lines_sent_total${family}`),
  }).toEqual({ syncs: 1, partial: 1, full: undefined, endpointChanges: 1, serviceChanges: 1, pending: 0, rules: 30, failures: 1, partialFailures: 1, fragments: 2, lines: 9 });
  expect(value(`kubeproxy_sync_proxy_rules_last_timestamp_seconds${family}`)).toBeGreaterThan(now / 1000 - 5);
  expect(value(`kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds${family}`)).toBeGreaterThan(now / 1000 - 5);
});

test('changes from before the agent began do not count as its latency', async () => {
  const { value, observer, read } = await measured();
  const now = Date.now();
  observer.onSuccess(loop(), { result, durationMs: 50, triggerTimes: [now - 2000, now - 60_000] });
  await read();
  expect(value('kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}')).toBe(1);
  expect(value('kubeproxy_network_programming_duration_seconds_bucket{le="5",ip_family="IPv4"}')).toBe(1);
});
