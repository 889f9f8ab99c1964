/**
 * From "which ProxyConfig governs each node" to "which nodes does each ProxyConfig govern": the question that rollout
 * and status ask.
 */
import { nodeConfigOf, type NodeConfig } from '../../api/nodeConfig.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { governingConfig } from '../../api/resolvePolicy.ts';
import { revisionOf } from '../../api/revision.ts';
import type { ClusterView, KnownNode } from '../watch/clusterView.ts';

/** What one ProxyConfig asks for, and on which nodes. */
export interface Target {
  readonly config: ProxyConfig;
  readonly nodeConfig: NodeConfig;
  readonly revision: string;
  /** How many nodes the selector matches, whoever governs them. */
  readonly matched: number;
  /** The nodes that it governs, by name. */
  readonly nodes: readonly KnownNode[];
  /** Names of ProxyConfigs of the same priority that won a node from this one: a conflict for a person to resolve. */
  readonly lostTo: readonly string[];
}

/** Being counted. */
interface Tally {
  matched: number;
  readonly nodes: KnownNode[];
  readonly lostTo: Set<string>;
}

/**
 * One target per ProxyConfig, by name, also for those that govern no node. A ProxyConfig that is being deleted governs
 * nothing.
 */
export function resolveTargets({ nodes, configs }: Pick<ClusterView, 'nodes' | 'configs'>): Target[] {
  const existing = [...configs.values()].filter(({ metadata }) => !metadata.deletionTimestamp).sort(byName);
  const tallies = new Map<ProxyConfig, Tally>(
    existing.map((config) => [config, { matched: 0, nodes: [], lostTo: new Set() }]),
  );
  for (const node of [...nodes.values()].sort(byNodeName)) countNode(node, tallies);
  return existing.map((config) => targetOf(config, tallies.get(config)));
}

function countNode(node: KnownNode, tallies: ReadonlyMap<ProxyConfig, Tally>): void {
  const { winner, tiedWith, overridden } = governingConfig(node.labels, tallies.keys());
  if (!winner) return;
  tallies.get(winner)?.nodes.push(node);
  for (const config of [winner, ...tiedWith, ...overridden]) {
    const tally = tallies.get(config);
    if (tally) tally.matched += 1;
  }
  for (const config of tiedWith) tallies.get(config)?.lostTo.add(winner.metadata.name);
}

function targetOf(config: ProxyConfig, tally: Tally | undefined): Target {
  const nodeConfig = nodeConfigOf(config.spec);
  return {
    config,
    nodeConfig,
    revision: revisionOf(nodeConfig),
    matched: tally?.matched ?? 0,
    nodes: tally?.nodes ?? [],
    lostTo: [...(tally?.lostTo ?? [])].sort(),
  };
}

function byName(one: ProxyConfig, other: ProxyConfig): number {
  return one.metadata.name < other.metadata.name ? -1 : 1;
}

function byNodeName(one: KnownNode, other: KnownNode): number {
  return one.name < other.name ? -1 : 1;
}
