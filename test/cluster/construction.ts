/**
 * How a cluster comes up: what depends on nothing else starts at once, and the slow parts overlap.
 *
 *     programs ─► images ─┐                         ┌─► etcd ─► API server ─► controllers ─┐
 *                         ├─► namespaces and wires ─┤                                      ├─► kubelets ─► nodes, DNS
 *                         ready
 *     keys ───────────────┘                         └─► containerd ────────────────────────┘
 * @module
 */
import { join } from 'node:path';
import { clusterNetwork } from './addresses.ts';
import type { ClusterNetwork, NetworkFamily, NodeAddress } from './addresses.ts';
import { ensureBinaries } from './binaries.ts';
import type { Binaries } from './binaries.ts';
import { createCluster } from './clusterHandle.ts';
import type { Cluster } from './clusterHandle.ts';
import { openToMachine, startApiServer, startControllers, startEtcd } from './clusterControlPlane.ts';
import { createState, writeState } from './clusterState.ts';
import type { ClusterPaths, ClusterState } from './clusterState.ts';
import type { ControlPlaneKeys } from './controlPlane.ts';
import { systemImages, testImages } from './images.ts';
import { imageStore } from './imageStore.ts';
import { createKeys } from './keys.ts';
import { kubectlFor } from './kubectl.ts';
import type { Kubectl } from './kubectl.ts';
import type { KubernetesVersion } from './kubernetesVersion.ts';
import { clusterManifests } from './manifests.ts';
import { applyWiring, startNodeNamespaces, startOutside, startRoot } from './namespaces.ts';
import type { HolderOptions } from './namespaces.ts';
import { pauseProgram } from './native.ts';
import { controlPlaneWiring, nodeWiring, outsideWiring } from './network.ts';
import { prepareNode, startContainerd, startKubelet } from './node.ts';
import type { NodeSettings } from './node.ts';
import { ownRecord } from './recordedProcess.ts';
import { together, unlessAborted } from './together.ts';

export interface ConstructionOptions {
  readonly name: string;
  readonly nodes: number;
  readonly family: NetworkFamily;
  readonly kubernetes: KubernetesVersion;
  readonly detached: boolean;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly images: readonly string[];
}

interface Site {
  readonly network: ClusterNetwork;
  readonly paths: ClusterPaths;
  readonly kubernetes: KubernetesVersion;
  readonly binaries: Binaries;
  readonly imageStore: string;
  readonly keys: ControlPlaneKeys;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A node with the process that holds its namespaces. */
interface NodeSite {
  readonly settings: NodeSettings;
  readonly address: NodeAddress;
  readonly pid: number;
}

const readyTimeout = '120s';

export async function constructCluster(options: ConstructionOptions): Promise<Cluster> {
  const { name, kubernetes, detached } = options;
  const owner = detached ? {} : { owner: ownRecord() };
  const network = clusterNetwork(options.nodes, options.family);
  const state: ClusterState = { name, network, kubernetes, isReady: false, ...owner };
  const site = await prepareSite(state, options);
  const nodes = await startMachines(site, name, {
    paths: site.paths,
    pause: await pauseProgram(),
    diesWithParent: !detached,
  });
  await together([startControlPlane(site), startRuntimes(site, nodes)]);
  site.progress('starting the kubelets');
  await together(nodes.map(({ settings, pid }) => startKubelet(settings, pid)));
  await waitUntilReady(site);
  const readyState = { ...state, isReady: true };
  writeState(readyState);
  return createCluster(readyState, site.binaries);
}

async function prepareSite(state: ClusterState, { progress, signal, images }: ConstructionOptions): Promise<Site> {
  const paths = await createState(state);
  const { network, kubernetes } = state;
  const serverAddresses = [...network.controlPlane.addresses, ...network.apiServerService, '127.0.0.1', '::1'];
  // What is being built for the cache may go on until this process ends; it is no part of the cluster.
  const programs = unlessAborted(preparePrograms({ kubernetes, progress, images }), signal);
  const [prepared, keys] = await together([programs, createKeys(paths.keys, serverAddresses)]);
  progress(`the cluster runs Kubernetes ${kubernetes}`);
  return { network, paths, kubernetes, ...prepared, keys, progress, signal };
}

/** Made once and cached: the programs, and the images as every node's containerd starts with them. */
async function preparePrograms({
  kubernetes,
  progress,
  images,
}: Pick<ConstructionOptions, 'kubernetes' | 'progress' | 'images'>): Promise<Pick<Site, 'binaries' | 'imageStore'>> {
  const binaries = await ensureBinaries({ kubernetes, progress });
  const [system, tests] = await together([systemImages(progress), testImages(progress)]);
  const store = await imageStore({ binaries, archives: [...system, ...tests], progress });
  if (images.length === 0) return { binaries, imageStore: store };
  return { binaries, imageStore: await imageStore({ binaries, archives: images, base: store, progress }) };
}

/** All namespaces, and the wires between them. */
async function startMachines(site: Site, cluster: string, holders: HolderOptions): Promise<NodeSite[]> {
  const { network, progress } = site;
  const names = network.nodes.map(({ name }) => name);
  progress(`making namespaces for the control plane, ${names.join(', ')} and a client outside`);
  const settings = network.nodes.map((node): NodeSettings => ({ ...site, cluster, node }));
  const [root] = await together([startRoot(holders), ...settings.map(prepareNode)]);
  const [outside, ...nodePids] = await together([
    startOutside(root, holders),
    ...names.map((name) => startNodeNamespaces(root, name, holders)),
  ]);
  const nodes = settings.map((node, index): NodeSite => ({
    settings: node,
    address: node.node,
    pid: nodePids[index] ?? 0,
  }));
  await connect(network, root, outside, nodes);
  return nodes;
}

async function connect(
  network: ClusterNetwork,
  root: number,
  outside: number,
  nodes: readonly NodeSite[],
): Promise<void> {
  const machines = [
    { name: network.outside.name, pid: outside },
    ...nodes.map(({ address, pid }) => ({ name: address.name, pid })),
  ];
  await applyWiring(root, controlPlaneWiring(machines, network));
  await together([
    applyWiring(outside, outsideWiring(network.outside)),
    ...nodes.map(({ address, pid }) => applyWiring(pid, nodeWiring(address, network))),
  ]);
}

async function startControlPlane(site: Site): Promise<void> {
  const { keys, progress, network } = site;
  progress('starting etcd and kube-apiserver');
  await together([startEtcd(site), openToMachine(site, keys)]);
  await startApiServer(site);
  progress('kube-apiserver is ready; starting the controllers');
  await together([startControllers(site), create(adminKubectl(site), clusterManifests(network))]);
}

async function startRuntimes({ progress }: Site, nodes: readonly NodeSite[]): Promise<void> {
  await together(nodes.map(({ settings, pid }) => startContainerd(settings, pid)));
  progress('containerd is ready');
}

/** Ready means: a pod can be created, is scheduled and started, and finds DNS once Services work. */
async function waitUntilReady(site: Site): Promise<void> {
  const unbound = adminKubectl(site);
  const kubectl: Kubectl = (args, settings) => unbound(args, { ...settings, signal: site.signal });
  const timeout = `--timeout=${readyTimeout}`;
  await together([
    succeed(kubectl, ['wait', '--for=create', timeout, 'serviceaccount/default']),
    succeed(kubectl, ['wait', '--for=condition=Ready', timeout, 'node', '--all']).then(() =>
      site.progress('the nodes are ready'),
    ),
  ]);
  await succeed(kubectl, ['--namespace=kube-system', 'rollout', 'status', timeout, 'deployment/coredns']);
  site.progress('CoreDNS is ready');
}

function adminKubectl({ paths, binaries }: Site): Kubectl {
  return kubectlFor([binaries.kubectl], paths.kubeconfig, join(paths.state, 'kubectl-cache'));
}

async function create(kubectl: Kubectl, manifests: string): Promise<void> {
  const { exitCode, stderr } = await kubectl(['create', '--filename=-'], { input: manifests });
  if (exitCode !== 0) throw new Error(`the cluster's objects are not accepted: ${stderr}`);
}

async function succeed(kubectl: Kubectl, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await kubectl(args);
  if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
}
