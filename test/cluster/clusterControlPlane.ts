/**
 * The control plane of a cluster, in the network and process namespaces that hold the cluster.
 * @module
 */
import { join } from 'node:path';
import { apiServerPort, apiServerUrl } from './addresses.ts';
import type { ClusterNetwork } from './addresses.ts';
import type { Binaries } from './binaries.ts';
import type { Certificate } from './certificates.ts';
import type { ClusterPaths } from './clusterState.ts';
import { apiServerArguments, controllerManagerArguments, etcdArguments, schedulerArguments } from './controlPlane.ts';
import type { ControlPlaneKeys } from './controlPlane.ts';
import { startForward } from './forward.ts';
import { existingKeys } from './keys.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { kubectlFor } from './kubectl.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';
import { enterControlPlane, startRecorded } from './namespaces.ts';
import { isAlive, killRecorded, readRecord } from './recordedProcess.ts';
import { together } from './together.ts';
import { apiServerDifferences, controllerManagerDifferences } from './versionDifferences.ts';
import { waitFor } from '../support/waitFor.ts';

/** The namespaces are the cluster's own, and so are all ports. */
const etcdUrls = { clientUrl: 'http://127.0.0.1:2379', peerUrl: 'http://127.0.0.1:2380' };
const readyTimeoutMs = 90_000;

export interface ControlPlaneContext {
  readonly paths: ClusterPaths;
  readonly network: ClusterNetwork;
  readonly kubernetes: KubernetesVersion;
  readonly binaries: Binaries;
}

export async function startEtcd(context: ControlPlaneContext): Promise<void> {
  const dataDirectory = join(context.paths.data, 'etcd');
  await startProgram(context, 'etcd', etcdArguments({ dataDirectory, ...etcdUrls }));
}

/** Starts kube-apiserver and waits until it serves. */
export async function startApiServer(context: ControlPlaneContext): Promise<void> {
  const { paths, network, kubernetes, binaries } = context;
  const settings = {
    etcdUrl: etcdUrls.clientUrl,
    bindAddress: '::',
    advertiseAddress: network.controlPlane.address,
    port: apiServerPort,
    serviceRanges: network.serviceRanges,
    keys: existingKeys(paths.keys),
    certificateDirectory: paths.keys,
    further: apiServerDifferences(kubernetes),
  };
  await startProgram(context, 'kube-apiserver', apiServerArguments(settings));
  const kubectl = kubectlFor([binaries.kubectl], paths.kubeconfig, join(paths.state, 'kubectl-cache'));
  const isReady = async (): Promise<boolean> => (await kubectl(['get', '--raw=/readyz'])).exitCode === 0;
  await waitFor('kube-apiserver gets ready', isReady, {
    timeoutMs: readyTimeoutMs,
    isHopeless: () => !isProgramAlive(paths, 'kube-apiserver') || !isProgramAlive(paths, 'etcd'),
    explain: () => `see ${join(paths.logs, 'kube-apiserver.log')}`,
  });
}

export async function stopApiServer(paths: ClusterPaths): Promise<void> {
  const recorded = readRecord(paths.record('kube-apiserver'));
  if (recorded) await killRecorded(recorded);
}

export async function startControllers(context: ControlPlaneContext): Promise<void> {
  const keys = existingKeys(context.paths.keys);
  const { podRanges } = context.network;
  const [manager, scheduler] = await together([
    controllerKubeconfig(context, keys, 'kube-controller-manager'),
    controllerKubeconfig(context, keys, 'kube-scheduler'),
  ]);
  await together([
    startProgram(context, 'kube-controller-manager', [
      ...controllerManagerArguments({ kubeconfig: manager, podRanges, keys }),
      ...controllerManagerDifferences(context.kubernetes),
    ]),
    startProgram(context, 'kube-scheduler', schedulerArguments(scheduler)),
  ]);
}

/** Opens the door from this machine, and writes how to get through it. */
export async function openToMachine({ paths, network }: ControlPlaneContext, keys: ControlPlaneKeys): Promise<void> {
  const enter = enterControlPlane(rootPid(paths));
  const forward = { enter, host: '127.0.0.1', port: apiServerPort, log: join(paths.logs, 'forward.log') };
  const [port, client] = await together([startForward(forward), adminCertificate(keys)]);
  const authority = keys.authority.certificate;
  await together([
    writeKubeconfig(paths.kubeconfig, { server: `https://127.0.0.1:${port}`, authority, client }),
    writeKubeconfig(paths.insideKubeconfig, { server: apiServerUrl(network), authority, client }),
  ]);
}

function adminCertificate({ authority }: ControlPlaneKeys): Promise<Certificate> {
  return authority.issue('admin', { commonName: 'admin', organizations: ['system:masters'] });
}

async function controllerKubeconfig(
  { paths, network }: ControlPlaneContext,
  { authority }: ControlPlaneKeys,
  name: string,
): Promise<string> {
  const client = await authority.issue(name, { commonName: `system:${name}` });
  return writeKubeconfig(join(paths.state, `${name}.kubeconfig`), {
    server: apiServerUrl(network),
    authority: authority.certificate,
    client,
  });
}

type ControlPlaneProgram = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

async function startProgram(
  { paths, binaries }: ControlPlaneContext,
  name: ControlPlaneProgram,
  args: readonly string[],
): Promise<void> {
  const program = [binaries[name], ...args];
  await startRecorded({ paths, name, command: enterControlPlane(rootPid(paths)), program, diesWithParent: false });
}

function isProgramAlive(paths: ClusterPaths, name: ControlPlaneProgram): boolean {
  const recorded = readRecord(paths.record(name));
  return recorded !== undefined && isAlive(recorded);
}

function rootPid(paths: ClusterPaths): number {
  const root = readRecord(paths.record('root'));
  if (root === undefined) throw new Error(`the cluster in ${paths.state} has no processes`);
  return root.pid;
}
