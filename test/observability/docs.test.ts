/**
 * The pages that people look things up in know every word that the program may say: reasons of conditions and events,
 * and metrics.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Registry } from 'prom-client';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';

/**
 * Where a reason is written down in the source: as a field, as an error's first argument, as the first of a pair with
 * its words.
 */
const places = [
  /\breason:([^,;}]*)/g,
  /SyncError\(\s*('\w+')/g,
  /leaveOut\(\s*\w+,\s*('\w+')/g,
  /\[\s*('[A-Z]\w+'),\s*['"`]/g,
];

function reasonsIn(source: string): string[] {
  const found = places.flatMap((place) => [...source.matchAll(place)].map(([, words = '']) => words));
  return found.flatMap((words) => [...words.matchAll(/'([A-Z][a-z]\w+)'/g)].map(([, reason = '']) => reason));
}

const reasons = new Map(
  globSync('src/{operator,agent,backend,netfilter,cli}/**/*.ts').flatMap((file) =>
    reasonsIn(readFileSync(file, 'utf8')).map((reason) => [reason, file] as const),
  ),
);

const pages = ['README.md', ...globSync('{docs,config,src,test}/**/*.md')];

/** Files and folders of this repository that a page names in code style: by path, or a module by its name alone. */
function filesNamedIn(page: string): string[] {
  const words = [...readFileSync(page, 'utf8').matchAll(/`([^`\s]+)`/g)].map(([, word = '']) => word);
  return words.filter((word) => /^(src|test|crds|config|docs)\/[\w./-]+$|^\w+(\.test)?\.ts$/.test(word));
}

const modules = new Set(globSync('{src,test,crds,.ci}/**/*.ts').map((file) => path.basename(file)));

describe('pages name files that are there', () => {
  test.each(pages)('%s', (page) => {
    const isThere = (name: string): boolean =>
      name.includes('/') ? existsSync(name) || existsSync(path.join(path.dirname(page), name)) : modules.has(name);
    expect(filesNamedIn(page).filter((name) => !isThere(name))).toEqual([]);
  });

  test('names are found, by path and alone', () => {
    expect(filesNamedIn('docs/DESIGN.md')).toEqual(
      expect.arrayContaining(['src/api/resources.ts', 'src/model', 'rollout.ts', 'faults.test.ts']),
    );
  });
});

describe('docs/troubleshooting.md', () => {
  const page = readFileSync('docs/troubleshooting.md', 'utf8');

  test('reasons are found in the source', () => {
    expect([...reasons.keys()]).toEqual(
      expect.arrayContaining(['Synced', 'ToolMissing', 'ToolTimedOut', 'NoNodes', 'ConflictResolved', 'NotAnswered']),
    );
  });

  test('explains each of them', () => {
    expect([...reasons].filter(([reason]) => !page.includes(`\`${reason}\``))).toEqual([]);
  });
});

async function ours(registry: Registry): Promise<string[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics
    .flatMap(({ name, type }) => (/^(kubeproxy|proxyconfig)_/.test(name) ? [`${name} ${type}`] : []))
    .sort();
}

function documented(section: string): string[] {
  return [...section.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`).sort();
}

/** Of kube-proxy 1.37.2 on Linux, without what the Go runtime and client-go add. */
const ofKubeProxy = `
sync_proxy_rules_duration_seconds sync_full_proxy_rules_duration_seconds sync_partial_proxy_rules_duration_seconds network_programming_duration_seconds
sync_proxy_rules_last_timestamp_seconds sync_proxy_rules_last_queued_timestamp_seconds sync_proxy_rules_endpoint_changes_pending sync_proxy_rules_endpoint_changes_total
sync_proxy_rules_service_changes_pending sync_proxy_rules_service_changes_total sync_proxy_rules_iptables_restore_failures_total sync_proxy_rules_iptables_partial_restore_failures_total
sync_proxy_rules_iptables_total sync_proxy_rules_iptables_last sync_proxy_rules_nftables_sync_failures_total sync_proxy_rules_nftables_cleanup_failures_total
sync_proxy_rules_no_local_endpoints_total proxy_healthz_total proxy_livez_total conntrack_reconciler_sync_duration_seconds conntrack_reconciler_deleted_entries_total
iptables_ct_state_invalid_dropped_packets_total iptables_localhost_nodeports_accepted_packets_total
nftables_localhost_nodeport_listeners nftables_localhost_nodeport_listener_creation_failures_total nftables_localhost_nodeport_rejected_packets_total`
  .trim()
  .split(/\s+/);

describe('docs/reference/metrics.md', () => {
  const page = readFileSync('docs/reference/metrics.md', 'utf8');
  const [ofAgent = '', ofOperator = ''] = page.slice(page.indexOf('## Agent')).split('## Operator');
  test("has the agent's metrics and no other", async () => {
    expect(documented(ofAgent)).toEqual(await ours(createAgentMetrics().registry));
  });

  test("has every metric of kube-proxy's, or says that it is not there and why", () => {
    expect(ofKubeProxy.filter((name) => !ofAgent.includes(`\`kubeproxy_${name}\``))).toEqual([]);
  });

  test("has the operator's metrics and no other", async () => {
    expect(documented(ofOperator)).toEqual(await ours(createOperatorMetrics().registry));
  });
});
