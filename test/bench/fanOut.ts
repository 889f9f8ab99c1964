/**
 * What one change of a ProxyConfig costs when it goes to all nodes at once and their answers are summed up: a real API
 * server, the operator as a process of its own with its own permissions and priority, and agents that are simulated by
 * one watch and a status patch for each change.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execa } from 'execa';
import { bundle } from '../../.ci/build.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { waitFor } from '../support/waitFor.ts';
import { ClusterFixture } from '../operator/clusterFixture.ts';
import { machine } from './page.ts';
import { cpuSeconds, watchPeak } from './processTree.ts';
import { SimulatedFleet } from './simulatedFleet.ts';
import { median } from './statistics.ts';

export interface FanOutSettings {
  /** Numbers of nodes, from few to many. */
  readonly sizes: readonly number[];
  /** Of the ProxyConfig, at each size; as many as there is time for, but one at least. */
  readonly changes: number;
  /** For files that whoever calls removes. */
  readonly directory: string;
  readonly progress: (line: string) => void;
}

/** Medians over the changes at one size. */
export interface FanOutRow {
  readonly nodes: number;
  readonly changes: number;
  /**
   * Seconds from the change until the last node was told, and until the ProxyConfig's status said that all are ready.
   */
  readonly toldSeconds: number;
  readonly readySeconds: number;
  /** Of the operator, as the API server counts them; of the agents. */
  readonly requests: number;
  readonly answers: number;
  /** Of the operator's, those that the API server refused because its priority level was full. */
  readonly refused: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

export interface FanOut {
  readonly rows: readonly FanOutRow[];
  /** Why a size is missing. */
  readonly remarks: readonly string[];
  /** CPUs, memory and kernel. */
  readonly machine: string;
}

const longestSizeMs = 600_000;
/**
 * The operator's place in the cluster; its client certificate names it, and so it has its own roles and the priority of
 * all service accounts.
 */
const namespace = 'proxyconfig-system';
const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
const flowSchema = 'service-accounts';
const rollout = { maxUnavailable: '100%', probe: { enabled: false, periodSeconds: 10, failureThreshold: 3 } } as const;

/** Needs a network namespace of its own. */
export async function measureFanOut(settings: FanOutSettings): Promise<FanOut> {
  const { directory, progress } = settings;
  await promisify(execFile)('ip', ['link', 'set', 'lo', 'up']);
  const dist = join(directory, 'fan-out');
  await bundle(dist);
  progress('fan-out: starting an API server and the operator');
  const cluster = await ClusterFixture.start();
  const fleet = new SimulatedFleet(cluster);
  const stopping = new AbortController();
  try {
    await cluster.kubectl(['apply', '-k', 'config/rbac']);
    const kubeconfig = await cluster.server.kubeconfigFor(`system:serviceaccount:${namespace}:operator`, groups);
    const command = [
      '--pdeathsig',
      'KILL',
      process.execPath,
      ...(await flagsOfImage()),
      join(dist, 'proxyconfig.js'),
      'operator',
      '--kubeconfig',
      kubeconfig,
    ];
    const ports = ['--health-address', '127.0.0.1:9001', '--metrics-address', '127.0.0.1:9002'];
    const operator = execa('setpriv', [...command, ...ports], {
      reject: false,
      stdio: 'ignore',
      cancelSignal: stopping.signal,
      env: { NODE_ENV: 'production' },
    });
    await cluster.addConfig('all', { rollout });
    const result = await new Rollouts(cluster, fleet, operator.pid ?? 0).measure(settings);
    stopping.abort();
    await operator;
    return result;
  } finally {
    stopping.abort();
    await fleet.stop();
    await cluster.stop();
  }
}

/** What the image starts Node with. */
async function flagsOfImage(): Promise<string[]> {
  const [, entrypoint = '[]'] =
    /^ENTRYPOINT (\[.*\])$/m.exec(await readFile(join(import.meta.dirname, '..', '..', 'Dockerfile'), 'utf8')) ?? [];
  return (JSON.parse(entrypoint) as string[]).slice(1, -1);
}

/** What a change is measured by, at one moment. */
interface Counts {
  readonly requests: number;
  readonly refused: number;
  readonly answers: number;
  readonly cpu: number;
}

class Rollouts {
  readonly #cluster: ClusterFixture;
  readonly #fleet: SimulatedFleet;
  readonly #pid: number;
  #bit = 0;

  constructor(cluster: ClusterFixture, fleet: SimulatedFleet, pid: number) {
    this.#cluster = cluster;
    this.#fleet = fleet;
    this.#pid = pid;
  }

  async measure({ sizes, changes, progress }: FanOutSettings): Promise<FanOut> {
    const rows: FanOutRow[] = [];
    for (const nodes of sizes) {
      const deadline = performance.now() + longestSizeMs;
      try {
        progress(`fan-out: making ${nodes} nodes`);
        await this.#fleet.growTo(nodes, deadline);
        await this.#until('the nodes are ready', nodes, deadline);
        const measured: FanOutRow[] = [];
        for (
          let change = 0;
          change < changes && (change === 0 || performance.now() < deadline - longestSizeMs / 3);
          change += 1
        ) {
          const row = await this.#change(nodes, deadline);
          measured.push(row);
          progress(`fan-out: ${nodes} nodes, ${change + 1}/${changes}: ${inWords(row)}`);
        }
        rows.push(medians(measured));
      } catch (error) {
        const remark = `${nodes.toLocaleString('en')} nodes were given up after ${longestSizeMs / 60_000} minutes at the latest: ${(error as Error).message}`;
        progress(`fan-out: ${remark}`);
        return { rows, remarks: [remark], machine: machine() };
      }
    }
    return { rows, remarks: [], machine: machine() };
  }

  async #change(nodes: number, deadline: number): Promise<FanOutRow> {
    // Any other bit than before; bits 0 to 31 exist.
    this.#bit = (this.#bit + 1) % 32;
    const before = await this.#counts();
    const peak = watchPeak(this.#pid);
    const started = performance.now();
    try {
      await this.#cluster.changeConfig('all', { masquerade: { bit: this.#bit } });
      await waitFor('all nodes are told', async () => this.#fleet.toldBit(this.#bit) === nodes, {
        timeoutMs: deadline - performance.now(),
        everyMs: 20,
        explain: () => this.#fleet.explain(),
      });
      const toldSeconds = (performance.now() - started) / 1000;
      await this.#until('the status says that all are ready', nodes, deadline);
      const readySeconds = (performance.now() - started) / 1000;
      const after = await this.#counts();
      const requests = after.requests - before.requests;
      const spent = {
        requests,
        answers: after.answers - before.answers,
        refused: after.refused - before.refused,
        cpuSeconds: after.cpu - before.cpu,
      };
      return { nodes, changes: 1, toldSeconds, readySeconds, ...spent, peakMiB: peak().tree };
    } finally {
      peak();
    }
  }

  async #until(what: string, nodes: number, deadline: number): Promise<void> {
    const condition = async (): Promise<boolean> => isReady(await this.#cluster.config('all'), nodes);
    await waitFor(what, condition, {
      timeoutMs: deadline - performance.now(),
      everyMs: 50,
      explain: () => this.#fleet.explain(),
    });
  }

  async #counts(): Promise<Counts> {
    const exposed = await this.#cluster.kubectl(['get', '--raw=/metrics']);
    const ofOperator = (metric: string): number => sumOf(exposed, `apiserver_flowcontrol_${metric}_requests_total`);
    return {
      requests: ofOperator('dispatched'),
      refused: ofOperator('rejected'),
      answers: this.#fleet.answers,
      cpu: cpuSeconds(this.#pid),
    };
  }
}

/** Over all lines of the operator's flow schema, which nobody else here belongs to. */
function sumOf(exposed: string, metric: string): number {
  const lines = exposed
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) && line.includes(`flow_schema="${flowSchema}"`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

function isReady({ metadata, status }: ProxyConfig, nodes: number): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return (
    ready?.status === 'True' &&
    ready.observedGeneration === metadata.generation &&
    status?.nodes?.ready === nodes &&
    status.rollout?.state === 'Complete'
  );
}

function medians(rows: readonly FanOutRow[]): FanOutRow {
  const names = Object.keys(rows[0] ?? {}) as (keyof FanOutRow)[];
  const middle = Object.fromEntries(
    names.map((name) => [name, median(rows.map((row) => row[name]))]),
  ) as unknown as FanOutRow;
  return { ...middle, changes: rows.length };
}

function inWords({ toldSeconds, readySeconds, requests, cpuSeconds: cpu }: FanOutRow): string {
  return `told in ${toldSeconds.toFixed(1)} s, Ready in ${readySeconds.toFixed(1)} s, ${requests} requests, ${cpu.toFixed(2)} s of CPU`;
}
