/**
 * Rules as the real iptables gives them back, in a network namespace of their own.
 */
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import type { Network } from '../../support/network.ts';

type Node = Pick<Network, 'runOnNode'>;

/** What is given to the tools of an empty node. */
export interface TablesInput {
  readonly family: IPFamily;
  readonly variant: 'nft' | 'legacy';
  /** Of `ipset restore`: the sets that the rules ask. */
  readonly sets: readonly string[];
  readonly input: string;
}

/** Replaces all tables that the input names. */
export async function loadTables(node: Node, { family, variant, sets, input }: TablesInput): Promise<void> {
  const timeoutMs = 30_000;
  if (sets.length > 0)
    await node.runOnNode({ file: '/usr/sbin/ipset', args: ['-exist', 'restore'], input: sets, timeoutMs });
  await node.runOnNode({ file: `${toolOf(family, variant)}-restore`, args: ['-w', '5'], input: [input], timeoutMs });
}

/** Every chain with its rules, without counters and `-A CHAIN`: `{ 'nat KUBE-SERVICES': ['-d …'] }`. */
export async function saveTables(
  node: Node,
  { family, variant }: Pick<TablesInput, 'family' | 'variant'>,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const chains: Record<string, string[]> = {};
  let table = '';
  const onLine = (line: string): void => {
    if (line.startsWith('*')) table = line.slice(1);
    if (line.startsWith(':')) chains[`${table} ${line.slice(1).split(' ', 1)[0]}`] = [];
    const [, chain, rule = ''] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
    chains[`${table} ${chain}`]?.push(rule);
  };
  await node.runOnNode({ file: `${toolOf(family, variant)}-save`, args: [], onLine, timeoutMs: 30_000 });
  return chains;
}

function toolOf(family: IPFamily, variant: string): string {
  return `/usr/sbin/${family === 'ipv4' ? 'iptables' : 'ip6tables'}-${variant}`;
}
