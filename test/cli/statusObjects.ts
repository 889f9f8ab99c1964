/**
 * ProxyConfigs and NodeProxies in the states that `proxyconfig status` shows.
 */
import { withDefaults } from '../../src/api/defaults.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { statusLines, type Line } from '../../src/cli/status/lines.ts';
import { styledText } from '../../src/cli/status/screen.ts';
import type { StatusView } from '../../src/cli/status/view.ts';

export type ConfigStatus = NonNullable<ProxyConfig['status']>;
export type NodeStatus = NonNullable<NodeProxy['status']>;
export type Condition = NonNullable<NodeStatus['conditions']>[number];

export const now = new Date('2026-01-01T01:00:00Z');
export const when = { lastTransitionTime: '2026-01-01T00:55:00Z' };

export function condition(type: string, status: Condition['status'], reason: string, message = ''): Condition {
  return { type, status, reason, message, ...when };
}

/** The kstatus conditions, of which exactly one holds. */
export function verdict(
  holds: 'Ready' | 'Reconciling' | 'Stalled' | 'none',
  reason: string,
  message = '',
): Condition[] {
  return ['Ready', 'Reconciling', 'Stalled'].map((type) =>
    condition(type, type === holds ? 'True' : 'False', reason, message),
  );
}

export function config(
  name: string,
  status: ConfigStatus = { observedGeneration: -1 },
  mode = 'iptables',
): ProxyConfig {
  const metadata = { name, uid: `uid-of-${name}`, generation: 2 };
  return {
    ...(withDefaults({
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'ProxyConfig',
      metadata,
      spec: { mode },
    }) as ProxyConfig),
    status,
  };
}

export function seen(conditions: Condition[], nodes: ConfigStatus['nodes'], more: ConfigStatus = {}): ConfigStatus {
  return { observedGeneration: 2, conditions, nodes, rollout: { revision: 'aaaa', state: 'Complete' }, ...more };
}

export function nodeProxy(node: string, status: NodeStatus | undefined, of = 'default'): NodeProxy {
  const spec = { configRef: { name: of, uid: `uid-of-${of}`, generation: 2 }, revision: 'aaaa' };
  return {
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    metadata: { name: node, generation: 1 },
    spec,
    ...(status === undefined ? {} : { status }),
  };
}

export function agentSays(state: NodeStatus['state'], conditions: Condition[], more: NodeStatus = {}): NodeStatus {
  return { observedGeneration: 1, state, mode: 'iptables', conditions, ...more };
}

export const well = agentSays('Ready', [condition('Ready', 'True', 'Synced')]);
export const refused = agentSays('Degraded', [
  condition('Ready', 'False', 'ModeNotAvailable', 'no mode ipvs here; set spec.mode to iptables'),
]);
export const driftedNode = agentSays('Drifted', [
  condition('Ready', 'True', 'Synced'),
  condition('Drifted', 'True', 'RulesChanged', 'somebody changed rules'),
]);
export const leavesOut = {
  ...well,
  dataplane: { quarantinedCount: 1, quarantined: [{ namespace: 'shop', name: 'web', reason: 'InvalidService' }] },
};

export const allReady = seen(verdict('Ready', 'AllNodesReady'), { matched: 2, effective: 2, ready: 2, updated: 2 });

export function textOf(lines: readonly Line[]): string {
  return lines.map((line) => styledText(line, false)).join('\n');
}

export function asText(view: StatusView, width?: number): string {
  return textOf(statusLines(view, { now, width, unicode: false }));
}
