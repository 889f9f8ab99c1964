/**
 * The namespaces of the cluster and how to get into them. One process namespace holds all others: when its first
 * process is killed, the kernel ends the control plane, the nodes and all pods, and with them their networks and
 * mounts.
 * @module
 */
import { execa } from 'execa';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterPaths } from './clusterState.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import type { Wiring } from './network.ts';
import { readRecord } from './recordedProcess.ts';
import { waitFor } from '../support/waitFor.ts';

const recordScript = join(import.meta.dirname, 'record.sh');
const nodeScript = join(import.meta.dirname, 'node.sh');

/** Starts a process for the control plane's network. */
export function enterControlPlane(rootPid: number): string[] {
  return ['nsenter', '--target', String(rootPid), '--net', '--pid'];
}

export function enterNode(nodePid: number): string[] {
  return ['nsenter', '--target', String(nodePid), '--mount', '--uts', '--ipc', '--net', '--pid'];
}

/** For what somebody waits for: when nsenter is killed, so is what it waits for, and nothing goes on unseen. */
export function runOnNode(nodePid: number): string[] {
  return [...enterNode(nodePid), 'setpriv', '--pdeathsig', 'KILL'];
}

export function enterNetwork(pid: number): string[] {
  return ['nsenter', '--target', String(pid), '--net'];
}

export interface HolderOptions {
  readonly paths: ClusterPaths;
  readonly pause: string;
  readonly diesWithParent: boolean;
}

/** The outermost namespaces: the bridge's network, and the processes of the whole cluster. */
export async function startRoot({ paths, pause, diesWithParent }: HolderOptions): Promise<number> {
  const unshare = ['unshare', '--net', '--pid', '--fork', '--kill-child'];
  return startRecorded({ paths, name: 'root', command: unshare, program: [pause], diesWithParent });
}

/** A network of its own, and the machine's files: the tools of a client. */
export async function startOutside(rootPid: number, { paths, pause }: HolderOptions): Promise<number> {
  const command = [...enterControlPlane(rootPid), 'unshare', '--net'];
  return startRecorded({ paths, name: 'outside', command, program: [pause], diesWithParent: false });
}

export async function startNodeNamespaces(
  rootPid: number,
  node: string,
  { paths, pause }: HolderOptions,
): Promise<number> {
  const namespaces = ['unshare', '--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child'];
  const command = [...enterControlPlane(rootPid), ...namespaces];
  const program = ['bash', nodeScript, node, paths.state, paths.node(node), join(paths.data, node), pause];
  return startRecorded({ paths, name: node, command, program, diesWithParent: false });
}

interface RecordedStart {
  readonly paths: ClusterPaths;
  readonly name: string;
  /** Enters or makes the namespaces. */
  readonly command: readonly string[];
  /** What is to be recorded. */
  readonly program: readonly string[];
  readonly diesWithParent: boolean;
}

/** Starts a program and answers the id that it has on this machine, not that of what waits for it. */
export async function startRecorded({ paths, name, command, program, diesWithParent }: RecordedStart): Promise<number> {
  const log = join(paths.logs, `${name}.log`);
  const recorded = paths.record(name);
  // A record of an earlier run, as when the API server is started again.
  await rm(recorded, { force: true });
  const daemon = await startDaemon({
    name,
    command: [...command, 'sh', recordScript, recorded, ...program],
    log,
    diesWithParent,
  });
  const pid = (): Promise<number | undefined> => Promise.resolve(readRecord(recorded)?.pid);
  return waitFor(`${name} starts`, pid, daemonWait(daemon));
}

export function daemonWait(daemon: Daemon): {
  timeoutMs: number;
  everyMs: number;
  isHopeless: () => boolean;
  explain: () => string;
} {
  return { timeoutMs: 60_000, everyMs: 20, isHopeless: daemon.hasEnded, explain: daemon.logTail };
}

/** Wires up the network namespace of a process. */
export async function applyWiring(pid: number, { links, sysctls }: Wiring): Promise<void> {
  const settings = sysctls.map(([path, value]) => `${path.replaceAll('/', '.')}=${value}`);
  await execa('nsenter', [...enterNetwork(pid).slice(1), 'sysctl', '-qw', ...settings]);
  await execa('nsenter', [...enterNetwork(pid).slice(1), 'ip', '-batch', '-'], { input: `${links.join('\n')}\n` });
}
