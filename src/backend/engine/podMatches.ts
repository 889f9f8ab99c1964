/**
 * Who is a pod, in the terms of iptables.
 */
import type { Match } from '../../netfilter/xtables/rule.ts';
import type { PodSource } from './nodeTraffic.ts';

export interface PodMatches {
  readonly isPod: Match;
  readonly isNotPod: Match;
}

/** undefined where nothing distinguishes pods from others. */
export function podMatches(pods: PodSource | undefined): PodMatches | undefined {
  if (pods === undefined) return undefined;
  if ('network' in pods) {
    const { network } = pods;
    return { isPod: { kind: 'source', network }, isNotPod: { kind: 'source', network, negated: true } };
  }
  const name = pods.isPrefix ? `${pods.interface}+` : pods.interface;
  return { isPod: { kind: 'inInterface', name }, isNotPod: { kind: 'inInterface', name, negated: true } };
}
