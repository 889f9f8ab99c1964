/**
 * The pace of change: which nodes may get their ProxyConfig's revision now. Every write to a NodeProxy's spec goes through here.
 */
import type { NodeProxy } from '../api/nodeProxy.ts';
import type { KnownNode } from './clusterView.ts';
import type { Target } from './resolve.ts';

/**
 * All nodes that do not have the target yet, at once; none while the ProxyConfig is paused.
 * The function is pure, so that an operator that starts in the middle of a rollout decides as the one before it did.
 */
export function nodesToUpdate(target: Target, live: ReadonlyMap<string, NodeProxy>): KnownNode[] {
  if (target.config.spec.paused) return [];
  return target.nodes.filter((node) => !hasTarget(live.get(node.name), target) || !isOwnedBy(live.get(node.name), node));
}

/**
 * Whether a node was told to run the target. The ProxyConfig's generation does not count: a new one that changes nothing for
 * nodes, such as a priority, must not cost one write per node.
 */
export function hasTarget(nodeProxy: NodeProxy | undefined, { config, revision }: Target): boolean {
  return nodeProxy?.spec.revision === revision && nodeProxy.spec.configRef.uid === config.metadata.uid;
}

/** False after a node was made anew under its old name: the garbage collector would take the NodeProxy with the old node. */
function isOwnedBy(nodeProxy: NodeProxy | undefined, node: KnownNode): boolean {
  return (nodeProxy?.metadata.ownerReferences ?? []).some(({ kind, uid }) => kind === 'Node' && uid === node.uid);
}
