/**
 * Agents that no Pod holds, on a cluster where no Pod of an agent is: one by hand, as its help shows, one with the
 * rights of the unit for systemd. All from docs/installing.md.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { type Condition, findCondition } from '../../src/api/conditions.ts';
import { type Cluster, type ClusterNode, up } from '../cluster/cluster.ts';
import { productImage } from '../cluster/images.ts';
import { overlayPatches } from '../install/agentUnit.ts';
import { describeWhere } from '../support/requirements.ts';
import { waitFor } from '../support/waitFor.ts';
import { byHand, Host, type HostAgent } from './hostAgent.ts';
import { answers, ways } from './ways.ts';

const repository = resolve(import.meta.dirname, '../..');
const stepMs = 120_000;
/** Three times what two nodes take, one after the other. */
const rolloutMs = 30_000;
const conditionsInOneLine = '{range .status.conditions[*]}{.type}={.status},{.reason} {end}';

describeWhere(['root', 'cluster', 'systemd-analyze'], 'agents without Pods', () => {
  let cluster: Cluster;
  let hosts: readonly Host[] = [];
  let agents: readonly HostAgent[] = [];
  let conditions: Promise<readonly (readonly Condition[])[]> | undefined;
  const end = new AbortController();

  beforeAll(async () => {
    cluster = await up({ nodes: 2, name: `hosts-${process.pid}`, images: [await productImage()] });
    await kubectl('label', 'node', '--all', 'proxyconfig.dev/agent=host');
    await install();
    hosts = await Promise.all(cluster.nodes.map((node) => Host.prepare(cluster, node)));
    for (const manifest of [
      'test/e2e/manifests/web.yaml',
      'test/demo/manifests/client.yaml',
      'test/e2e/manifests/byHand.yaml',
    ])
      await kubectl('apply', '-f', join(repository, manifest));
    conditions = everyCondition();
    agents = hosts.map((host, index) => (index === 0 ? host.start(byHand) : host.startUnit()));
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  }, 300_000);
  afterAll(async () => {
    end.abort();
    await conditions;
    await cluster?.down();
  }, stepMs);

  async function kubectl(...argv: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await cluster.kubectl(argv);
    if (exitCode !== 0)
      throw new Error(
        `kubectl ${argv.join(' ')}: ${stderr}\n${agents.map((agent) => agent.log().slice(-3000)).join('\n')}`,
      );
    return stdout;
  }

  /** With the page's patch of the DaemonSet. */
  async function install(): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-overlay-'));
    const { host, port } = cluster.apiServer;
    const literals = [`KUBERNETES_SERVICE_HOST=${host}`, `KUBERNETES_SERVICE_PORT=${port}`];
    const overlay = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: [relative(directory, repository)],
      configMapGenerator: [
        { name: 'proxyconfig-api-server', namespace: 'proxyconfig-system', behavior: 'merge', literals },
      ],
      ...(parse(overlayPatches) as object),
    };
    try {
      await writeFile(join(directory, 'kustomization.yaml'), stringify(overlay));
      await kubectl('apply', '-k', directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    await kubectl('-n', 'proxyconfig-system', 'rollout', 'status', 'deployment/proxyconfig-operator', '--timeout=60s');
  }

  /** All that the ProxyConfig says of itself, each time that it changes, until `end`. */
  async function everyCondition(): Promise<Condition[][]> {
    const { stdout } = await cluster.kubectl(
      ['get', 'pxc', 'default', '--watch', '-o', 'jsonpath={.status.conditions}{"\\n"}'],
      { signal: end.signal },
    );
    const lines = stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Condition[]);
  }

  /** After how many ms each node has the bit in its mark rule and the ProxyConfig is Ready for its present spec. */
  async function rolledOut(bit: number): Promise<number> {
    const began = performance.now();
    const mark = `0x${(2 ** bit).toString(16)}`;
    const marks = async ({ exec }: ClusterNode): Promise<boolean> =>
      (await exec(['iptables', '-t', 'nat', '-S', 'KUBE-MARK-MASQ'])).stdout.includes(`${mark}/${mark}`);
    const line = '{.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type=="Ready")].status}';
    let last = '';
    const isDone = async (): Promise<boolean> => {
      last = await kubectl('get', 'pxc', 'default', '-o', `jsonpath=${line}`);
      const [generation, observed, ready] = last.split(' ');
      const marked = await Promise.all(cluster.nodes.map(marks));
      return generation === observed && ready === 'True' && marked.every(Boolean);
    };
    const explain = (): string => [last, ...agents.map((agent) => agent.log().slice(-3000))].join('\n');
    await waitFor('both nodes have the change', isDone, { timeoutMs: rolloutMs, explain });
    return Math.round(performance.now() - began);
  }

  test('no Pod of an agent is there', async () => {
    const selector = 'app.kubernetes.io/component=agent';
    expect(await kubectl('-n', 'proxyconfig-system', 'get', 'pods', '-l', selector, '-o', 'name')).toBe('');
  });

  test(
    'the ProxyConfig gets Ready, with both nodes',
    async () => {
      console.log(`Ready after ${await rolledOut(14)} ms`);
      expect(await kubectl('get', 'pxc', 'default', '-o', 'jsonpath={.status.nodes}')).toContain('"ready":2');
    },
    stepMs,
  );

  test(
    'each node answers',
    async () => {
      const toPods = ways.filter(({ answer }) => answer.test('web-'));
      await Promise.all(cluster.nodes.flatMap((node) => toPods.map((way) => answers(cluster, way, node))));
    },
    stepMs,
  );

  test('with the rights of the unit nothing is missing: both nodes report the same', async () => {
    const [byShell, byUnit] = await Promise.all(
      cluster.nodes.map(({ name }) => kubectl('get', 'nodeproxy', name, '-o', `jsonpath=${conditionsInOneLine}`)),
    );
    expect(byUnit).toContain('Ready=True,Synced');
    expect(byUnit).toBe(byShell);
  });

  test(
    'a change of the spec is rolled out at once, whatever the deadline',
    async () => {
      await kubectl('patch', 'pxc', 'default', '--type=merge', '--patch={"spec":{"masquerade":{"bit":15}}}');
      console.log(`rolled out after ${await rolledOut(15)} ms`);
    },
    stepMs,
  );

  test('no node was ever out of reach', async () => {
    end.abort();
    const history = (await conditions) ?? [];
    const firstReady = history.findIndex((all) => findCondition(all, 'Ready')?.status === 'True');
    const reasons = (from: number): (string | undefined)[] =>
      history
        .slice(from)
        .flat()
        .map(({ reason }) => reason);
    expect(reasons(0)).not.toContain('NodesUnreachable');
    expect(firstReady).toBeGreaterThanOrEqual(0);
    expect(reasons(firstReady)).not.toContain('AgentsNotReady');
    expect(await kubectl('get', 'events', '-A')).not.toMatch(/NodesUnreachable|AgentsNotReady/);
  });

  test(
    'stopped, the agents leave their rules',
    async () => {
      expect(await Promise.all(agents.map((agent) => agent.stop()))).toEqual([0, 0]);
      const fromOutside = ways.filter(({ from, answer }) => from === 'outside' && answer.test('web-'));
      await Promise.all(cluster.nodes.flatMap((node) => fromOutside.map((way) => answers(cluster, way, node))));
    },
    stepMs,
  );

  test.each([
    { tries: 'touch /var/lib/here', answer: /Read-only file system/ },
    { tries: 'touch /run/here', answer: /Read-only file system/ },
    { tries: 'ls /root', answer: /Permission denied/ },
    { tries: 'unshare --net true', answer: /Operation not permitted/ },
    { tries: `python3 -c 'import socket; socket.socket(socket.AF_PACKET)'`, answer: /Address family not supported/ },
    { tries: 'grep CapEff /proc/self/status', answer: /^CapEff:\t0000000000003000\n/ },
    {
      tries: 'iptables-legacy -w 5 -t nat -N TRIED && iptables-legacy -w 5 -t nat -X TRIED',
      answer: /^exit status 0\n$/,
    },
    { tries: 'conntrack --count', answer: /exit status 0\n$/ },
    { tries: 'touch /run/xtables.lock /var/lib/proxyconfig/here', answer: /^exit status 0\n$/ },
  ])('with the rights of the unit, $tries', async ({ tries, answer }) => {
    expect(await hosts[1]?.withRightsOfUnit(tries)).toMatch(answer);
  });
});
