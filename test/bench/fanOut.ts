/**
 * @module `node test/bench/fanOut.ts [NODES…]`: what one change of a ProxyConfig costs when it goes to all nodes at once and their answers are summed up.
 *
 * A real API server and the real operator as a process of its own; agents are simulated here by one watch and a status patch for each change.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { bundle } from '../../.ci/build.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import type { NodeProxy } from '../../src/api/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/proxyConfig.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { ClusterFixture } from '../operator/clusterFixture.ts';
import { waitFor } from '../cluster/wait.ts';

interface Row {
  readonly nodes: number;
  /** Seconds from the change of spec until the last node was told, and until the status said Ready. */
  readonly toldSeconds: number;
  readonly readySeconds: number;
  /** Of the operator, for the whole change. */
  readonly writes: number;
  readonly turns: number;
  readonly cpuSeconds: number;
  readonly rssMegabytes: number;
}

const nodeProxies = '/apis/proxyconfig.dev/v1alpha1/nodeproxies';
const patience = { timeoutMs: 180_000, everyMs: 50 };
const clockTicksPerSecond = 100;

class Fleet {
  readonly #cluster: ClusterFixture;
  readonly #answers = new Set<Promise<void>>();
  readonly told = new Map<string, number>();

  constructor(cluster: ClusterFixture) {
    this.#cluster = cluster;
  }

  async create(from: number, to: number): Promise<void> {
    const names = Array.from({ length: to - from }, (_, index) => `node-${String(from + index).padStart(5, '0')}`).values();
    await Promise.all(Array.from({ length: 16 }, async () => {
      for (const name of names) await this.#cluster.addNode(name);
    }));
  }

  start(): { stop(): Promise<void> } {
    const take = (nodeProxy: NodeProxy): void => {
      const { metadata, spec, status } = nodeProxy;
      this.told.set(metadata.name, (spec.config as unknown as NodeConfig).masquerade.bit);
      if (status?.observedGeneration === metadata.generation) return;
      const answer = this.#answer(nodeProxy).finally(() => this.#answers.delete(answer));
      this.#answers.add(answer);
    };
    const reflector = createReflector<NodeProxy>({
      client: this.#cluster.client,
      path: nodeProxies,
      decode: (object) => object as NodeProxy,
      handler: { onAdd: (_id, nodeProxy) => take(nodeProxy), onUpdate: (_id, nodeProxy) => take(nodeProxy), onDelete: () => undefined },
    });
    reflector.start();
    return { stop: () => reflector.stop() };
  }

  async #answer({ metadata, spec }: NodeProxy): Promise<void> {
    const ready = { type: 'Ready', status: 'True', reason: 'Synced', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };
    const status = { observedGeneration: metadata.generation, state: 'Ready', mode: 'iptables', revision: spec.revision, conditions: [ready] };
    await this.#cluster.client.send('PATCH', `${nodeProxies}/${metadata.name}/status`, { contentType: 'application/merge-patch+json', body: { status } });
  }
}

async function measure(sizes: readonly number[], progress: (line: string) => void): Promise<Row[]> {
  const cluster = await ClusterFixture.start();
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-fan-out-'));
  const fleet = new Fleet(cluster);
  const agents = fleet.start();
  const metricsPort = 39_000 + (process.pid % 1000);
  await bundle(directory);
  const flags = ['--kubeconfig', cluster.server.kubeconfig, '--health-address', '127.0.0.1:0', '--metrics-address', `127.0.0.1:${metricsPort}`];
  const operator = execa(process.execPath, [join(directory, 'proxyconfig.js'), 'operator', ...flags], { reject: false });
  const rows: Row[] = [];
  try {
    const rollout = { maxUnavailable: '100%', probe: { enabled: false, periodSeconds: 10, failureThreshold: 3 } } as const;
    await cluster.addConfig('all', { rollout });
    let bit = 0;
    for (const [index, nodes] of sizes.entries()) {
      progress(`making ${nodes} nodes`);
      await fleet.create(sizes[index - 1] ?? 0, nodes);
      await waitFor(`${nodes} nodes are ready`, async () => isReady(await cluster.config('all'), nodes), patience);
      progress('changing the ProxyConfig');
      bit += 1;
      const before = await usageOf(operator.pid ?? 0, metricsPort);
      const started = performance.now();
      await cluster.changeConfig('all', { masquerade: { bit } });
      await waitFor('every node is told', async () => [...fleet.told.values()].filter((own) => own === bit).length === nodes, patience);
      const toldSeconds = (performance.now() - started) / 1000;
      await waitFor('the status says so', async () => isReady(await cluster.config('all'), nodes), patience);
      const readySeconds = (performance.now() - started) / 1000;
      const after = await usageOf(operator.pid ?? 0, metricsPort);
      rows.push({ nodes, toldSeconds, readySeconds, writes: after.writes - before.writes, turns: after.turns - before.turns, cpuSeconds: after.cpuSeconds - before.cpuSeconds, rssMegabytes: after.rssMegabytes });
    }
  } finally {
    operator.kill('SIGTERM');
    await operator;
    await agents.stop();
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
  return rows;
}

function isReady({ metadata, status }: ProxyConfig, nodes: number): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation && status?.nodes?.ready === nodes && status.rollout?.state === 'Complete';
}

async function usageOf(pid: number, metricsPort: number): Promise<Pick<Row, 'writes' | 'turns' | 'cpuSeconds' | 'rssMegabytes'>> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  const exposed = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const metric = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(exposed)?.[1] ?? 0);
  return {
    writes: metric('proxyconfig_nodeproxy_writes_total'),
    turns: metric('proxyconfig_reconciliations_total{result="done"}'.replaceAll(/[{}]/g, '\\$&')),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond,
    rssMegabytes: (Number(fields[21]) * 4096) / 1e6,
  };
}

function table(rows: readonly Row[]): string {
  const head = '| nodes | all told, s | Ready, s | NodeProxy writes | turns | operator CPU, s | CPU per node, ms | operator RSS, MB |\n|---:|---:|---:|---:|---:|---:|---:|---:|';
  const lines = rows.map(({ nodes, toldSeconds, readySeconds, writes, turns, cpuSeconds, rssMegabytes }) =>
    `| ${[nodes, toldSeconds.toFixed(1), readySeconds.toFixed(1), writes, turns, cpuSeconds.toFixed(2), ((cpuSeconds * 1000) / nodes).toFixed(2), rssMegabytes.toFixed(0)].join(' | ')} |`,
  );
  return [head, ...lines].join('\n');
}

const sizes = process.argv.slice(2).map(Number);
const began = performance.now();
console.log(table(await measure(sizes.length > 0 ? sizes : [100, 1000, 5000], (line) => console.error(`fan-out: ${Math.round((performance.now() - began) / 1000)} s: ${line}`))));
