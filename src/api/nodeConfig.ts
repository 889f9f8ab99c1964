/**
 * What one node should run: the part of a ProxyConfig's spec that the operator hands to an agent in
 * NodeProxy.spec.config. Selection (nodeSelector, priority) and pace (paused, rollout, revisionHistoryLimit) stay with
 * the operator.
 */
import type { ProxyConfig } from './generated/proxyConfig.ts';

/** With defaults filled in, as the API server returns it. */
export type ProxyConfigSpec = ProxyConfig['spec'];
export type ProxyConfigStatus = NonNullable<ProxyConfig['status']>;
export type ProxyMode = ProxyConfigSpec['mode'];

/** All modes that a ProxyConfig may name, whether there is a backend for them or not. */
export const proxyModes: readonly ProxyMode[] = ['iptables', 'ipvs', 'nftables', 'userspace'];

/** A ProxyConfig's spec without what is the operator's own. */
export type NodeConfig = Omit<
  ProxyConfigSpec,
  'nodeSelector' | 'priority' | 'paused' | 'rollout' | 'revisionHistoryLimit'
>;

/** The node's part of a ProxyConfig's spec, as a copy. */
export function nodeConfigOf(spec: ProxyConfigSpec): NodeConfig {
  const {
    nodeSelector: _selector,
    priority: _priority,
    paused: _paused,
    rollout: _rollout,
    revisionHistoryLimit: _limit,
    ...config
  } = spec;
  return config;
}
