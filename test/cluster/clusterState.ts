/**
 * What a cluster leaves on the machine, so that another process can use it and take it down: process ids, addresses and
 * files. Everything else lives in namespaces, which end with their processes.
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClusterNetwork } from './addresses.ts';
import { cacheDirectory } from './cacheDirectory.ts';
import { removeControlGroup } from './cgroups.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';
import { isAlive, killRecorded, readRecord } from './recordedProcess.ts';
import type { RecordedProcess } from './recordedProcess.ts';

const stateRoot = '/run/proxyconfig-cluster';

/** Where a cluster's files are. */
export interface ClusterPaths {
  readonly state: string;
  /** What is too large for memory, beside the image store that it is linked from. */
  readonly data: string;
  readonly keys: string;
  readonly logs: string;
  /** An administrator's kubeconfig for this machine, by a forwarded port of its loopback. */
  readonly kubeconfig: string;
  /** The same for a node or a pod, by the API server's own address. */
  readonly insideKubeconfig: string;
  node(name: string): string;
  record(process: string): string;
}

export interface ClusterState {
  readonly name: string;
  /** The process that the cluster ends with; none when it stays until it is taken down. */
  readonly owner?: RecordedProcess;
  readonly network: ClusterNetwork;
  /** Whose programs run in it. */
  readonly kubernetes: KubernetesVersion;
  /** Set when everything serves. */
  readonly isReady: boolean;
}

export function clusterPaths(name: string): ClusterPaths {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new RangeError(`cluster name "${name}": use up to 32 lower case letters, digits and hyphens`);
  }
  const state = join(stateRoot, name);
  return {
    state,
    data: cacheDirectory('clusters', name),
    keys: join(state, 'pki'),
    logs: join(state, 'logs'),
    kubeconfig: join(state, 'kubeconfig'),
    insideKubeconfig: join(state, 'kubeconfig.inside'),
    node: (node) => join(state, 'nodes', node),
    record: (process) => join(state, 'processes', process),
  };
}

export function clusterControlGroup(name: string): string {
  return `proxyconfig-cluster-${name}`;
}

export async function createState(state: ClusterState): Promise<ClusterPaths> {
  const paths = clusterPaths(state.name);
  const directories = [
    paths.data,
    paths.keys,
    paths.logs,
    dirname(paths.record('any')),
    ...state.network.nodes.map(({ name }) => paths.node(name)),
  ];
  await Promise.all(directories.map((directory) => mkdir(directory, { recursive: true })));
  writeState(state);
  return paths;
}

export function writeState(state: ClusterState): void {
  writeFileSync(join(clusterPaths(state.name).state, 'state.json'), JSON.stringify(state, undefined, 2));
}

export function readState(name: string): ClusterState | undefined {
  const file = join(clusterPaths(name).state, 'state.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ClusterState) : undefined;
}

/** Whether its namespaces still exist. */
export function isRunning(name: string): boolean {
  const root = readRecord(clusterPaths(name).record('root'));
  return root !== undefined && isAlive(root);
}

/** Ends everything that runs in a cluster; its files stay. */
export async function endProcesses(name: string): Promise<void> {
  const root = readRecord(clusterPaths(name).record('root'));
  if (root) await killRecorded(root);
}

/** Ends a cluster and removes all that is left of it. No harm when there is none, or only parts. */
export async function tearDown(name: string): Promise<void> {
  const paths = clusterPaths(name);
  await endProcesses(name);
  await removeControlGroup(clusterControlGroup(name));
  await Promise.all([paths.state, paths.data].map((directory) => rm(directory, { recursive: true, force: true })));
  // The shared parents go with the last cluster.
  await Promise.all([paths.state, paths.data].map((directory) => rmdir(dirname(directory)).catch(() => {})));
}
