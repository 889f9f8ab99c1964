/**
 * What a ProxyConfig that was made anew under its name has of the one before: its history is gone with it, but nodes
 * still serve what that one had completed, and their NodeProxies hold the configuration.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import { compare } from '../../api/resolvePolicy.ts';
import type { ClusterView } from '../watch/clusterView.ts';
import type { NodeOutcome } from './nodeOutcome.ts';
import type { Target } from './resolve.ts';

/**
 * The revision that most of its nodes serve from the ProxyConfig of the same name before it; undefined where there was
 * none, or no node serves with it any more.
 */
export function inheritedRevision(
  { config, revision }: Target,
  outcomes: readonly NodeOutcome[],
  { nodeProxies }: Pick<ClusterView, 'nodeProxies'>,
): string | undefined {
  const counts = new Map<string, number>();
  for (const { node, assigned, belongs, phase } of outcomes) {
    if (belongs || phase !== 'Ready' || assigned === undefined || assigned === revision) continue;
    const { name, uid } = nodeProxies.get(node)?.spec.configRef ?? {};
    if (name === config.metadata.name && uid !== config.metadata.uid)
      counts.set(assigned, (counts.get(assigned) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([one, count], [other, otherCount]) => otherCount - count || compare(one, other));
  return most?.[0];
}

/** The configuration of a revision that some node was assigned, lost NodeProxies included; undefined where none was. */
export function assignedConfig(
  revision: string,
  { nodeProxies, lostNodeProxies }: Pick<ClusterView, 'nodeProxies' | 'lostNodeProxies'>,
): NodeConfig | undefined {
  for (const { spec } of [...nodeProxies.values(), ...lostNodeProxies.values()])
    if (spec.revision === revision && spec.config !== undefined) return spec.config as unknown as NodeConfig;
  return undefined;
}
