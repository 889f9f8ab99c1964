/** The two that are compared, as programs on a node. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ground, SideName } from './ground.ts';
import { type BenchNode, podRange, type Variant } from './node.ts';
import { endPrograms } from './processGroup.ts';
import { cpuSeconds, treeOf } from './processTree.ts';

/** A way to serve the same Services by both. */
export interface Contest {
  /** NodeProxy.spec.config */
  readonly config: { readonly mode: string; readonly [field: string]: unknown };
  /** In addition to those that every kube-proxy here gets. */
  readonly kubeProxyFlags: readonly string[];
}

/** One of iptables mode's. */
export interface ProxyContest extends Contest {
  readonly name: string;
  readonly variant: Variant;
}

/** The programs, and where their API server is. */
export interface Programs extends Pick<Ground, 'product' | 'kubeProxy'> {
  readonly server: { readonly kubeconfig: string };
}

export interface Proxy {
  readonly pid: number;
  /** Rejects with the end of its log when it has ended; never resolves. */
  readonly ended: Promise<never>;
  /** Waits until it has done all that it had to do. */
  settled(): Promise<void>;
  end(): Promise<void>;
}

const settledCpuShare = 0.04;
const longestSettleMs = 60_000;

export function startProxy(side: SideName, contest: Contest, programs: Programs, node: BenchNode): Proxy {
  const [file = '', ...args] = node.enter(commandOf(side, contest, programs, node));
  const log = join(node.directory, `${side}.log`);
  const output = openSync(log, 'a');
  // kube-proxy takes the `iptables` that it finds first.
  const child = spawn(file, args, {
    stdio: ['ignore', output, output],
    env: { PATH: '/run/tools:/usr/sbin:/usr/bin:/sbin:/bin', NODE_ENV: 'production' },
  });
  closeSync(output);
  const ended = failAtEnd(child, log);
  return { pid: child.pid ?? 0, ended, settled: () => Promise.race([settled(child), ended]), end: () => end(child) };
}

function failAtEnd(child: ChildProcess, log: string): Promise<never> {
  const ended = once(child, 'exit').then(() => {
    throw new Error(`a proxy ended: ${readFileSync(log, 'utf8').slice(-2000)}`);
  });
  // It is told to end at last, and then nobody waits for this.
  ended.catch(() => {});
  return ended;
}

function commandOf(
  side: SideName,
  { kubeProxyFlags }: Contest,
  { product, kubeProxy, server }: Programs,
  node: BenchNode,
): readonly string[] {
  if (side === 'ours')
    return [...product, 'agent', '--kubeconfig', server.kubeconfig, '--node', 'ours', '--state-dir', node.directory];
  const flags = [
    `--kubeconfig=${server.kubeconfig}`,
    '--hostname-override=kube-proxy',
    '--conntrack-max-per-core=0',
    `--cluster-cidr=${podRange}`,
  ];
  return [kubeProxy, ...flags, ...kubeProxyFlags];
}

async function settled({ pid = 0 }: ChildProcess): Promise<void> {
  const deadline = performance.now() + longestSettleMs;
  for (let quiet = 0; quiet < 2 && performance.now() < deadline;) {
    const before = cpuSeconds(pid);
    await sleep(500);
    quiet = cpuSeconds(pid) - before <= settledCpuShare / 2 ? quiet + 1 : 0;
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** With its tools: one that loads rules for minutes must not do so beside the next. */
async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const tools = treeOf(child.pid ?? 0).slice(1);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(patience);
  await endPrograms(tools);
}
