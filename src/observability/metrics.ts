/**
 * @module Prometheus metrics of an agent. Where kube-proxy measures the same thing, the name is kube-proxy's, so that
 * existing dashboards and alerts go on working; what it has no name for begins with `proxyconfig_`.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** In seconds: 1 ms doubling to 16 s, kube-proxy's own buckets for syncs. */
const syncBuckets = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power);
/**
 * In seconds: kube-proxy's, which begin at 0.25 s, and finer ones below, where nearly all changes are programmed here.
 */
const latencyBuckets = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  ...steps(0.25, 0.25, 2),
  ...steps(1, 1, 59),
  ...steps(60, 5, 12),
  ...steps(120, 30, 7),
];

function steps(first: number, width: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + width * index);
}

/** The agent's metrics, each by what it measures, and the registry that they are in. */
export type AgentMetrics = ReturnType<typeof instruments>;

/** The metrics in a registry of their own: nothing is shared between two agents in one process. */
export function createAgentMetrics(): AgentMetrics {
  return instruments();
}

function instruments() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const family = ['ip_family'] as const;
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[]): Histogram<'ip_family'> =>
    new Histogram({ name, help, buckets, labelNames: family, registers });
  const sync = 'kubeproxy_sync_proxy_rules';

  return {
    registry,
    syncDuration: histogram(`${sync}_duration_seconds`, 'Seconds that a successful sync took', syncBuckets),
    fullSyncDuration: histogram(
      'kubeproxy_sync_full_proxy_rules_duration_seconds',
      'Seconds that a full sync took',
      syncBuckets,
    ),
    partialSyncDuration: histogram(
      'kubeproxy_sync_partial_proxy_rules_duration_seconds',
      'Seconds that a partial sync took',
      syncBuckets,
    ),
    networkProgrammingDuration: histogram(
      'kubeproxy_network_programming_duration_seconds',
      'Seconds from the change of an endpoint, as its slice says, to its rules',
      latencyBuckets,
    ),
    lastSync: gauge(`${sync}_last_timestamp_seconds`, 'When a sync last succeeded, seconds since the epoch', family),
    lastQueued: gauge(
      `${sync}_last_queued_timestamp_seconds`,
      'When a sync was last asked for, seconds since the epoch',
      family,
    ),
    endpointChanges: counter(`${sync}_endpoint_changes_total`, 'Changes of EndpointSlices', family),
    endpointChangesPending: gauge(
      `${sync}_endpoint_changes_pending`,
      'Changes of EndpointSlices that are not in the kernel yet',
      family,
    ),
    serviceChanges: counter(`${sync}_service_changes_total`, 'Changes of Services', family),
    serviceChangesPending: gauge(
      `${sync}_service_changes_pending`,
      'Changes of Services that are not in the kernel yet',
      family,
    ),
    restoreFailures: counter(
      `${sync}_iptables_restore_failures_total`,
      'Syncs that failed in iptables-restore',
      family,
    ),
    partialRestoreFailures: counter(
      `${sync}_iptables_partial_restore_failures_total`,
      'Partial syncs that failed in iptables-restore; each is followed by a full one',
      family,
    ),
    iptablesRules: gauge(`${sync}_iptables_total`, 'Rules of ours in a table', ['ip_family', 'table']),
    iptablesRulesWritten: gauge(`${sync}_iptables_last`, 'Rules that the last sync wrote into a table', [
      'ip_family',
      'table',
    ]),
    invalidDropped: counter(
      'kubeproxy_iptables_ct_state_invalid_dropped_packets_total',
      'Packets dropped because they are of no connection that the kernel knows',
      family,
    ),
    /** Stays at 0: NodePorts are not served on loopback. Alerts on it go on to work. */
    localhostNodePorts: counter(
      'kubeproxy_iptables_localhost_nodeports_accepted_packets_total',
      'Packets accepted on NodePorts of the loopback address, which are never served',
      [],
    ),
    noLocalEndpoints: gauge(
      `${sync}_no_local_endpoints_total`,
      'Service ports with traffic policy Local that have endpoints, but none on this node',
      ['ip_family', 'traffic_policy'],
    ),
    conntrackDuration: histogram(
      'kubeproxy_conntrack_reconciler_sync_duration_seconds',
      'Seconds that one check for stale UDP flows took',
      syncBuckets,
    ),
    conntrackDeleted: counter(
      'kubeproxy_conntrack_reconciler_deleted_entries_total',
      'UDP flows that were ended because their endpoint is gone',
      family,
    ),
    conntrackUsed: gauge(
      'proxyconfig_conntrack_used_ratio',
      "How full the kernel's connection tracking table is, 0 to 1",
      [],
    ),
    healthz: counter('kubeproxy_proxy_healthz_total', 'Answers to /healthz', ['code']),
    livez: counter('kubeproxy_proxy_livez_total', 'Answers to /livez', ['code']),

    servicePortsPlanned: counter(
      'proxyconfig_service_ports_planned_total',
      'Service ports whose rules were computed',
      family,
    ),
    linesSent: counter('proxyconfig_lines_sent_total', "Lines written to the kernel's tools", family),
    commandsRun: counter('proxyconfig_commands_run_total', "Runs of the kernel's tools", family),
    syncFailures: counter(
      'proxyconfig_sync_failures_total',
      'Syncs that failed, by the reason that the NodeProxy gives',
      ['ip_family', 'reason'],
    ),
    services: gauge('proxyconfig_services', 'Services in the kernel', family),
    endpoints: gauge('proxyconfig_endpoints', 'Endpoints in the kernel', family),
    quarantined: gauge(
      'proxyconfig_quarantined_services',
      'Services that are left out or served in part, because something in them is invalid',
      [],
    ),
    portConflicts: gauge(
      'proxyconfig_port_conflicts',
      'Ports of the node that a Service has and another program listens on; always 1',
      ['namespace', 'service', 'port', 'protocol'],
    ),
    drifts: counter('proxyconfig_drifts_total', 'Times that rules of ours were found missing', family),
    apiErrors: counter('proxyconfig_api_errors_total', 'Failed requests to the API server', ['resource']),
    refusedWrites: counter('proxyconfig_refused_writes_total', 'Statuses that the API server refused as they were', [
      'resource',
    ]),
    configInfo: gauge('proxyconfig_config_info', 'The configuration in force; always 1', [
      'mode',
      'revision',
      'source',
    ]),
  };
}
