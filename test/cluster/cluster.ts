/**
 * A whole cluster on this machine: control plane, nodes, pods and DNS, all real, all in namespaces. Nothing in it serves
 * Services: that is for the proxy under test.
 * @module
 */
import { ensureBinaries } from './binaries.ts'
import { cacheDirectory } from './cacheDirectory.ts'
import { createCluster } from './clusterHandle.ts'
import type { Cluster } from './clusterHandle.ts'
import { isRunning, readState, tearDown } from './clusterState.ts'
import { constructCluster } from './construction.ts'
import { withLock } from './lock.ts'

export type { Cluster, ClusterNode, Exec, ExecOptions, ExecResult } from './clusterHandle.ts'
export type { KubectlResult } from './kubectl.ts'

export interface UpOptions {
  /** How many nodes; 2 by default. */
  readonly nodes?: number | undefined
  readonly progress?: ((line: string) => void) | undefined
  /** Clusters of different names run side by side. */
  readonly name?: string | undefined
  /** The cluster outlives this process, until `down`; by default it ends with it, in whatever way. */
  readonly detached?: boolean | undefined
}

export const defaultClusterName = 'default'
const defaultNodes = 2

/** Starts a cluster and waits until nodes and DNS are ready. When that fails, nothing of it stays behind. */
export async function up(options: UpOptions = {}): Promise<Cluster> {
  const { name = defaultClusterName, nodes = defaultNodes, detached = false, progress = () => {} } = options
  return withLock(cacheDirectory('locks', `cluster-${name}`), async () => {
    await clearTheWay(name, progress)
    try {
      return await constructCluster({ name, nodes, detached, progress })
    } catch (error) {
      await tearDown(name)
      throw error
    }
  })
}

/** Takes down a cluster, whichever process has started it. No harm when there is none. */
export async function down(name: string = defaultClusterName): Promise<void> {
  await tearDown(name)
}

/** The cluster of that name, if it is up: to use it from another process than the one that started it. */
export async function attach(name: string = defaultClusterName): Promise<Cluster | undefined> {
  const state = readState(name)
  if (!state?.isReady || !isRunning(name)) return undefined
  return createCluster(state, await ensureBinaries())
}

/** A cluster that is up is somebody's; what an unclean end has left is removed. */
async function clearTheWay(name: string, progress: (line: string) => void): Promise<void> {
  const state = readState(name)
  if (state?.isReady && isRunning(name)) {
    const holder = state.owner ? `by process ${state.owner.pid}` : 'in the background'
    throw new Error(`cluster "${name}" is already up, started ${holder}; take it down first: npm run cluster -- --name ${name} down`)
  }
  if (state) progress('removing what an unclean end has left')
  await tearDown(name)
}
