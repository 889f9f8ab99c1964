/**
 * What checks of ipvs mode need: a node with its tools and a backend, Services, and what the kernel holds in the words
 * of its tools.
 */
import type { NodeConfig } from '../../../../src/api/nodeConfig.ts';
import type { Backend } from '../../../../src/backend/backend.ts';
import { createBackend } from '../../../../src/backend/registry.ts';
import type { ServiceState } from '../../../../src/model/serviceState.ts';
import type { RunCommand } from '../../../../src/system/command.ts';
import { findProgram } from '../../../../src/system/command.ts';
import type { Network } from '../../../support/network.ts';
import { createEmptyNode } from '../../../support/network.ts';
import type { ServiceManifest } from '../../../support/serviceManifests.ts';
import { clusterIP, stateOf } from '../../../support/serviceManifests.ts';

export interface Node {
  readonly backend: Backend;
  readonly run: RunCommand;
  /** Runs a program with standard input, and gives what it prints. */
  readonly tool: (name: string, args: readonly string[], input?: string) => Promise<string>;
}

export interface Check {
  readonly name: string;
  /**
   * The network has pods and outlives the check: a check that uses it runs a full sync first, which takes away what
   * another has left.
   */
  readonly run: (node: Node, network: () => Promise<Network>) => Promise<void>;
}

export const { signal } = new AbortController();
const tcp = [{ port: 80 }];
export const web = (index: number, rest: Partial<ServiceManifest> = {}): ServiceManifest => ({
  name: `web-${index}`,
  clusterIP: clusterIP(index),
  ports: tcp,
  pods: ['podA', 'remotePod'],
  ...rest,
});

export function ipvsState(services: readonly ServiceManifest[], config: Partial<NodeConfig> = {}): ServiceState {
  return stateOf('ipv4', services, { mode: 'ipvs', ...config });
}

export function nodeWith(run: RunCommand): Node {
  const tool = async (name: string, args: readonly string[], input = ''): Promise<string> =>
    run({ file: (await findProgram(name)) ?? name, args, input: [input], timeoutMs: 120_000 });
  return { backend: createBackend('ipvs', 'ipv4', { run }), run, tool };
}

export async function onEmptyNode(check: (node: Node) => Promise<void>): Promise<void> {
  const { runOnNode, close } = createEmptyNode();
  const node = nodeWith(runOnNode);
  try {
    // Where no address at all is local, the kernel takes every real server's address for a broadcast one and refuses
    // it.
    await node.tool('ip', ['link', 'set', 'lo', 'up']);
    await check(node);
  } finally {
    await close();
  }
}

export async function syncAll(
  { backend }: Pick<Node, 'backend'>,
  services: readonly ServiceManifest[],
  config: Partial<NodeConfig> = {},
): ReturnType<Backend['sync']> {
  return backend.sync({ state: ipvsState(services, config), changed: 'all', signal });
}

/** Everything that any mode could have left. */
export async function leftovers({ tool }: Node): Promise<string> {
  const rules = (await tool('iptables-save', [])).split('\n').filter((line) => line.includes('KUBE'));
  const devices = (await tool('ip', ['-o', 'link', 'show'])).split('\n').filter((line) => line.includes('kube'));
  return [await tool('ipvsadm', ['-Sn']), await tool('ipset', ['list', '-n']), ...rules, ...devices].join('\n').trim();
}

/** Of `ipvsadm -Ln`: real servers, with weight and connections, by virtual server. */
export function virtualServers(listing: string): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {};
  let current: string[] = [];
  for (const line of listing
    .split('\n')
    .slice(3)
    .map((each) => each.trim().split(/\s+/))) {
    if (line[0] === '->') current.push(line.slice(1).join(' '));
    else if (line[0] !== '') found[line.join(' ')] = current = [];
  }
  return found;
}
