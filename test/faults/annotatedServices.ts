/**
 * @module Peak memory of two operators and an agent in a cluster with many Services, which may be annotated with all
 * that the API server takes.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundle } from '../../.ci/build.ts';
import { AgentNode } from '../agent/agentNode.ts';
import { node as nodeObject, withoutIdentity } from '../support/objects.ts';
import { waitFor } from '../support/waitFor.ts';

export interface AnnotatedServices {
  readonly count: number;
  /** Of each Service; the API server takes 262,144. */
  readonly annotationBytes: number;
  readonly progress?: (text: string) => void;
}

export const programs = ['leading operator', 'following operator', 'agent'] as const;
/** In MiB, of resident memory. */
export type PeakMemory = Readonly<Record<(typeof programs)[number], number>>;

/** Peaks since the programs were started, at the end of each phase. */
export interface PeaksByPhase {
  /** The leader and the agent have listed everything. */
  readonly listed: PeakMemory;
  /** And then every Service was changed while it was watched. */
  readonly watched: PeakMemory;
}

const config = {
  apiVersion: 'proxyconfig.dev/v1alpha1',
  kind: 'ProxyConfig',
  metadata: { name: 'all' },
  spec: { mode: 'iptables', rollout: { minReadySeconds: 0 } },
};

/** The last one of a list and of each round of changes; its external IP is not allowed, which leads to an event. */
export function lastService(round: number): object {
  const spec = { ports: [{ port: 8000 + round }], externalIPs: [externalIP(round)] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'the-last' }, spec };
}

const externalIP = (round: number): string => `198.51.100.${round}`;

/** Starts a cluster of its own, of which nothing is left. Throws where a program ends, or takes too long. */
export async function peakMemoryWith(options: AnnotatedServices): Promise<PeaksByPhase> {
  const node = await AgentNode.start();
  const directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-annotations-'));
  const cluster = new Cluster(node, directory, options);
  try {
    await cluster.start();
    const listed = await cluster.peaks();
    await cluster.writeServices(1);
    return { listed, watched: await cluster.peaks() };
  } finally {
    await cluster.stop();
    await node.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

class Cluster {
  readonly #node: AgentNode;
  readonly #directory: string;
  readonly #options: AnnotatedServices;
  readonly #running: Program[] = [];

  constructor(node: AgentNode, directory: string, options: AnnotatedServices) {
    this.#node = node;
    this.#directory = directory;
    this.#options = options;
  }

  async start(): Promise<void> {
    await bundle(this.#directory);
    await this.#node.kubectl(['apply', '-k', 'crds']);
    await this.#node.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    await this.#node.kubectl(['create', 'namespace', 'proxyconfig-system']);
    await this.#node.apply(withoutIdentity(nodeObject(this.#node.name, ['192.168.0.1'])), config);
    await this.writeServices(0);
    this.#startProgram('agent', ['--node', this.#node.name, '--state-dir', this.#node.stateDirectory]);
    for (const address of ['127.0.0.1:0', '127.0.0.2:0'])
      this.#startProgram('operator', ['--health-address', address, '--metrics-address', address]);
    await this.#untilRead(0);
  }

  /** As a container of the image would be started. */
  #startProgram(command: string, args: readonly string[]): void {
    const program = [
      path.join(this.#directory, 'proxyconfig.js'),
      command,
      '--kubeconfig',
      this.#node.server.kubeconfig,
    ];
    const started = this.#node.spawn([process.execPath, '--max-semi-space-size=1', ...program, ...args]);
    this.#running.push(new Program(command, started));
  }

  /** Resolves when the programs that run have read them. */
  async writeServices(round: number): Promise<void> {
    const { count, annotationBytes, progress } = this.#options;
    const args = [this.#node.server.kubeconfig, count, annotationBytes, round].map(String);
    await this.#node.run([process.execPath, path.join(import.meta.dirname, 'writeServices.ts'), ...args]);
    progress?.(`${count} Services with ${annotationBytes} B of annotations each are written`);
    if (this.#running.length > 0) await this.#untilRead(round);
  }

  async #untilRead(round: number): Promise<void> {
    const wait = {
      timeoutMs: 180_000,
      everyMs: 500,
      isHopeless: () => this.#running.some((program) => program.hasEnded),
      explain: () => this.#running.map(({ log }) => log.slice(-2000)).join('\n'),
    };
    await waitFor('the agent has read them', () => this.#agentHasRead(round), wait);
    await waitFor('the operator has read them', () => this.#operatorHasRead(round), wait);
    this.#options.progress?.('operator and agent have read them');
  }

  async #agentHasRead(round: number): Promise<boolean> {
    return (
      (await this.#node.rules()).includes(`default/the-last`) &&
      (await this.#node.rules()).includes(`--dport ${8000 + round}`)
    );
  }

  async #operatorHasRead(round: number): Promise<boolean> {
    return (await this.#node.kubectl(['get', 'events', '-o', 'jsonpath={.items[*].message}'])).includes(
      externalIP(round),
    );
  }

  async peaks(): Promise<PeakMemory> {
    const [agent, ...operators] = this.#running;
    const [leader, follower] = operators.sort((one, other) => Number(other.leads) - Number(one.leads));
    const [own, ofLeader, ofFollower] = await Promise.all([agent?.peakMiB(), leader?.peakMiB(), follower?.peakMiB()]);
    return { agent: own ?? 0, 'leading operator': ofLeader ?? 0, 'following operator': ofFollower ?? 0 };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((program) => program.kill()));
  }
}

class Program {
  readonly name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  log = '';

  constructor(name: string, process: ChildProcessWithoutNullStreams) {
    this.name = name;
    this.#process = process;
    for (const stream of [process.stdout, process.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.log += text));
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  get leads(): boolean {
    return this.log.includes('"message":"leads"');
  }

  async peakMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.#process.pid}/status`, 'utf8');
    return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
  }

  async kill(): Promise<void> {
    if (this.hasEnded) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}
