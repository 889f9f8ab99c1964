/**
 * @module From where to what a node must answer, with `manifests/web.yaml` and the demo's client Pod in the cluster, in
 * the cluster's primary family.
 */
import { familyOf, ipFamilies, type IPFamily } from '../../src/model/ipFamily.ts';
import { hostInUrl } from '../cluster/addresses.ts';
import type { Cluster, ClusterNode, ExecResult } from '../cluster/cluster.ts';
import { waitFor } from '../support/waitFor.ts';

interface Target {
  /** Hosts as they stand in a URL. */
  readonly node: string;
  readonly clusterIP: string;
}

export const places = ['a Pod', 'the node', 'outside'] as const;
export type Place = (typeof places)[number];

export interface Way {
  readonly from: Place;
  readonly to: string;
  readonly url: (target: Target) => string;
  readonly answer: RegExp;
}

const podName = /^web-/;
const nodePort = ({ node }: Target): string => `http://${node}:30080/`;
const clusterIP = ({ clusterIP: host }: Target): string => `http://${host}/`;

export const ways: readonly Way[] = [
  { from: 'a Pod', to: 'the cluster IP', url: clusterIP, answer: podName },
  { from: 'a Pod', to: 'the NodePort', url: nodePort, answer: podName },
  { from: 'a Pod', to: 'the name that DNS knows', url: () => 'http://web/', answer: podName },
  { from: 'the node', to: 'the cluster IP', url: clusterIP, answer: podName },
  { from: 'the node', to: 'the NodePort', url: nodePort, answer: podName },
  { from: 'outside', to: 'the NodePort', url: nodePort, answer: podName },
  {
    from: 'outside',
    to: 'the health check node port of a load balancer',
    url: ({ node }) => `http://${node}:30081/`,
    answer: /"localEndpoints":\s*[1-9]/,
  },
  {
    from: 'outside',
    to: "the agent's readiness",
    url: ({ node }) => `http://${node}:10256/readyz`,
    answer: /"healthy":\s*true/,
  },
];

/**
 * Waits until the answer is right, of a node or from it, the first by default; throws with the last one where it never
 * is.
 */
export async function answers(cluster: Cluster, way: Way, node = firstNode(cluster)): Promise<void> {
  const url = way.url(await targetIn(cluster, node));
  let last: ExecResult | undefined;
  const isRight = async (): Promise<boolean> => {
    last = await ask({ ...cluster, nodes: [node] }, way.from, [
      'curl',
      '--silent',
      '--show-error',
      '--max-time',
      '5',
      url,
    ]);
    return last.exitCode === 0 && way.answer.test(last.stdout);
  };
  const explain = (): string => JSON.stringify(last);
  await waitFor(`${way.from} gets an answer from ${url}`, isRight, { timeoutMs: 60_000, explain });
}

/** The IP families that a place has addresses of, but for those that lead nowhere else (127.0.0.1, fe80::). */
export async function familiesOf(cluster: Cluster, place: Place): Promise<IPFamily[]> {
  const { stdout } = await ask(cluster, place, ['ip', '-json', 'address', 'show', 'scope', 'global']);
  const links = JSON.parse(stdout) as { readonly addr_info?: readonly { readonly local?: string }[] }[];
  const addresses = links.flatMap(({ addr_info = [] }) => addr_info).flatMap(({ local }) => local ?? []);
  return ipFamilies.filter((family) => addresses.some((address) => familyOf(address) === family));
}

/** The names of the Pods that forty connections from outside reach. */
export async function podsBehind({ outside }: Cluster, url: string): Promise<Set<string>> {
  const { stdout } = await outside.exec(['curl', '--silent', '--header', 'Connection: close', `${url}?[1-40]`]);
  return new Set(stdout.split('\n').filter((line) => line !== ''));
}

async function targetIn({ kubectl }: Cluster, node: ClusterNode): Promise<Target> {
  const { stdout } = await kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}']);
  return { node: hostInUrl(node.address), clusterIP: hostInUrl(stdout) };
}

function firstNode({ nodes: [node] }: Cluster): ClusterNode {
  if (node === undefined) throw new Error('the cluster has no node');
  return node;
}

function ask(cluster: Cluster, from: Place, command: readonly string[]): Promise<ExecResult> {
  if (from === 'a Pod') return cluster.kubectl(['exec', 'client', '--', ...command]);
  return (from === 'outside' ? cluster.outside : firstNode(cluster)).exec(command);
}
