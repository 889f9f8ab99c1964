/**
 * What a user holds of a running cluster. Made from its state directory alone, by whichever process.
 * @module
 */
import { execa } from 'execa';
import { constants } from 'node:os';
import { join } from 'node:path';
import { apiServerPort, apiServerUrl } from './addresses.ts';
import type { ClusterNetwork, MachineAddress, NodeAddress, NetworkFamily } from './addresses.ts';
import type { Binaries } from './binaries.ts';
import { startApiServer, stopApiServer } from './clusterControlPlane.ts';
import { clusterPaths, tearDown } from './clusterState.ts';
import type { ClusterPaths, ClusterState } from './clusterState.ts';
import { kubectlFor } from './kubectl.ts';
import type { Kubectl } from './kubectl.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';
import { enterNetwork, runOnNode } from './namespaces.ts';
import { importImage } from './node.ts';
import { readRecord } from './recordedProcess.ts';

export interface ExecOptions {
  readonly input?: string | Buffer | undefined;
  readonly timeoutMs?: number | undefined;
  readonly env?: Record<string, string> | undefined;
}

export interface ExecResult {
  /** As a shell tells it: 127 for an unknown program, 128 and the signal's number when a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Exec = (argv: readonly string[], options?: ExecOptions) => Promise<ExecResult>;

interface Machine extends MachineAddress {
  /** A process of this machine that all of its namespaces belong to. */
  readonly pid: number;
  /** Runs a program in its namespaces; does not throw when it fails. */
  readonly exec: Exec;
}

export interface ClusterNode extends Machine, NodeAddress {}

export interface Cluster {
  readonly name: string;
  readonly family: NetworkFamily;
  readonly kubernetes: KubernetesVersion;
  /** Path of an administrator's kubeconfig, for this machine. */
  readonly kubeconfig: string;
  /** The same for programs in a node: it names the API server's own address. */
  readonly insideKubeconfig: string;
  /** As nodes and pods reach it. */
  readonly apiServer: { readonly host: string; readonly port: number; readonly url: string };
  readonly nodes: readonly ClusterNode[];
  /** A client outside of the cluster: reaches the nodes, has no routes to pods and Services. */
  readonly outside: Machine;
  /** Does not throw when kubectl fails: look at `exitCode`. */
  readonly kubectl: Kubectl;
  /** Directory with one log file for each program of the cluster. */
  readonly logs: string;
  /** Loads an image archive on every node. */
  loadImage(archive: string): Promise<void>;
  /** Kills kube-apiserver, which loses its connections but not its data. */
  stopApiServer(): Promise<void>;
  startApiServer(): Promise<void>;
  down(): Promise<void>;
}

export function createCluster(state: ClusterState, binaries: Binaries): Cluster {
  const paths = clusterPaths(state.name);
  const { network, kubernetes } = state;
  const nodes = network.nodes.map((node) => ({ ...node, ...machine(paths, node, runOnNode) }));
  return {
    name: state.name,
    family: network.family,
    kubernetes,
    kubeconfig: paths.kubeconfig,
    insideKubeconfig: paths.insideKubeconfig,
    apiServer: apiServerAddress(network),
    nodes,
    outside: machine(paths, network.outside, enterNetwork),
    kubectl: kubectlFor([binaries.kubectl], paths.kubeconfig, join(paths.state, 'kubectl-cache')),
    logs: paths.logs,
    loadImage: async (archive) => {
      await Promise.all(nodes.map(({ pid }) => importImage(binaries.ctr, pid, archive)));
    },
    stopApiServer: () => stopApiServer(paths),
    startApiServer: () => startApiServer({ paths, network, kubernetes, binaries }),
    down: () => tearDown(state.name),
  };
}

function machine(paths: ClusterPaths, address: MachineAddress, enter: (pid: number) => string[]): Machine {
  const pid = recordedPid(paths, address.name);
  return { ...address, pid, exec: execWith(enter(pid)) };
}

function apiServerAddress(network: ClusterNetwork): Cluster['apiServer'] {
  return { host: network.controlPlane.address, port: apiServerPort, url: apiServerUrl(network) };
}

function execWith(enter: readonly string[]): Exec {
  return async (argv, { input, timeoutMs, env } = {}) => {
    const [file = '', ...args] = [...enter, ...argv];
    const result = await execa(file, args, {
      reject: false,
      stripFinalNewline: false,
      env: env ?? {},
      ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
    });
    const exitCode = result.exitCode ?? 128 + (result.signal ? constants.signals[result.signal] : 0);
    return { exitCode, stdout: result.stdout, stderr: result.stderr };
  };
}

function recordedPid(paths: ClusterPaths, process: string): number {
  const recorded = readRecord(paths.record(process));
  if (recorded === undefined) throw new Error(`no process is recorded for ${process} in ${paths.state}`);
  return recorded.pid;
}
