/**
 * A whole cluster on this machine: control plane, nodes, pods and DNS, all real, all in namespaces. Nothing in it
 * serves Services: that is for the proxy under test.
 * @module
 */
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkFamily } from './addresses.ts';
import { ensureBinaries } from './binaries.ts';
import { cacheDirectory } from './cacheDirectory.ts';
import { createCluster } from './clusterHandle.ts';
import type { Cluster } from './clusterHandle.ts';
import { clusterPaths, endProcesses, isRunning, readState, tearDown } from './clusterState.ts';
import { constructCluster } from './construction.ts';
import { chosenKubernetes } from './kubernetesVersion.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';
import { withLock } from './lock.ts';
import { checkRequirements } from './requirements.ts';
import { unlessAborted } from './together.ts';
import { waitFor } from '../support/waitFor.ts';

export type { Cluster, ClusterNode, Exec, ExecOptions, ExecResult } from './clusterHandle.ts';
export type { KubectlResult } from './kubectl.ts';

export interface UpOptions {
  /** How many nodes; 2 by default. */
  readonly nodes?: number | undefined;
  /** What machines, Pods and Services have addresses of; both by default. */
  readonly family?: NetworkFamily | undefined;
  /** Whose control plane and kubelets; what the environment variable KUBERNETES says by default. */
  readonly kubernetes?: KubernetesVersion | undefined;
  readonly progress?: ((line: string) => void) | undefined;
  /**
   * Archives of further images that every node starts with: unpacked once and cached, where loadImage() does it on each
   * node.
   */
  readonly images?: readonly string[] | undefined;
  /** Clusters of different names run side by side. */
  readonly name?: string | undefined;
  /** The cluster outlives this process, until `down`; by default it ends with it, in whatever way. */
  readonly detached?: boolean | undefined;
  /** Ends the attempt: what there is by then is removed, and up() rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export const defaultClusterName = 'default';
const defaultNodes = 2;

/** Starts a cluster and waits until nodes and DNS are ready. When that fails, nothing of it stays behind. */
export async function up(options: UpOptions = {}): Promise<Cluster> {
  const {
    name = defaultClusterName,
    nodes = defaultNodes,
    family = 'dual',
    kubernetes = chosenKubernetes(),
    detached = false,
    images = [],
    progress = () => {},
    signal,
  } = options;
  checkRequirements();
  return withLock(cacheDirectory('locks', `cluster-${name}`), async () => {
    await clearTheWay(name, progress);
    const work = constructCluster({ name, nodes, family, kubernetes, detached, images, progress, signal });
    try {
      return await unlessAborted(work, signal);
    } catch (error) {
      await endConstruction(name, work);
      const logs = signal?.aborted ? undefined : await keepLogs(name);
      await tearDown(name);
      if (logs === undefined) throw error;
      throw new Error(
        `the cluster does not come up, see ${logs}: ${error instanceof Error ? error.message : String(error)}`,
        {
          cause: error,
        },
      );
    }
  });
}

/** What is under way fails when its namespaces are gone, and makes new ones until it does. */
async function endConstruction(name: string, work: Promise<unknown>): Promise<void> {
  let hasEnded = false;
  const end = (): void => {
    hasEnded = true;
  };
  work.then(end, end);
  const isOver = async (): Promise<boolean> => {
    await endProcesses(name);
    return hasEnded;
  };
  await waitFor(`the construction of cluster "${name}" ends`, isOver, { timeoutMs: 60_000, everyMs: 50 });
}

/** The logs tell why; they would go with the cluster. */
async function keepLogs(name: string): Promise<string> {
  const kept = join(tmpdir(), `proxyconfig-cluster-${name}-logs`);
  await rm(kept, { recursive: true, force: true });
  await cp(clusterPaths(name).logs, kept, { recursive: true });
  return kept;
}

/** Takes down a cluster, whichever process has started it. No harm when there is none. */
export async function down(name: string = defaultClusterName): Promise<void> {
  await tearDown(name);
}

/** The cluster of that name, if it is up: to use it from another process than the one that started it. */
export async function attach(name: string = defaultClusterName): Promise<Cluster | undefined> {
  const state = readState(name);
  if (!state?.isReady || !isRunning(name)) return undefined;
  return createCluster(state, await ensureBinaries({ kubernetes: state.kubernetes }));
}

/** A cluster that is up is somebody's; what an unclean end has left is removed. */
async function clearTheWay(name: string, progress: (line: string) => void): Promise<void> {
  const state = readState(name);
  if (state?.isReady && isRunning(name)) {
    const holder = state.owner ? `by process ${state.owner.pid}` : 'in the background';
    throw new Error(
      `cluster "${name}" is already up, started ${holder}; take it down first: npm run cluster -- --name ${name} down`,
    );
  }
  if (state) progress('removing what an unclean end has left');
  await tearDown(name);
}
