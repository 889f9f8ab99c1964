/**
 * One node: its namespaces, containerd and the kubelet.
 * @module
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { apiServerUrl, primaryOf } from './addresses.ts';
import type { ClusterNetwork, NodeAddress } from './addresses.ts';
import type { Binaries } from './binaries.ts';
import { createControlGroup } from './cgroups.ts';
import { clusterControlGroup } from './clusterState.ts';
import type { ClusterPaths } from './clusterState.ts';
import type { ControlPlaneKeys } from './controlPlane.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { cloneImageStore, importArchive } from './imageStore.ts';
import { imageTags } from './imageTags.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { daemonWait, enterNode } from './namespaces.ts';
import { cniConfiguration, containerdConfiguration, hostsFile, kubeletConfiguration } from './nodeConfiguration.ts';
import { together } from './together.ts';
import { waitFor } from '../support/waitFor.ts';

export interface NodeSettings {
  readonly cluster: string;
  readonly paths: ClusterPaths;
  readonly binaries: Binaries;
  readonly keys: ControlPlaneKeys;
  readonly node: NodeAddress;
  readonly network: ClusterNetwork;
  /** A containerd's data with images in it, from imageStore(). */
  readonly imageStore: string;
}

/** Writes all that the node's programs read; before its namespaces are made, which show these files to it. */
export async function prepareNode(settings: NodeSettings): Promise<void> {
  const { node, network, paths, keys } = settings;
  const directory = paths.node(node.name);
  const cni = join(directory, 'cni');
  await mkdir(cni, { recursive: true });
  await together([
    writeFile(join(cni, '10-pods.conflist'), cniConfiguration(node)),
    writeFile(
      join(directory, 'containerd.toml'),
      containerdConfiguration({ pauseImage: imageTags.pause, cniDirectory: cni }),
    ),
    writeFile(join(directory, 'hosts'), hostsFile([network.controlPlane, ...network.nodes, network.outside])),
    writeFile(join(directory, 'resolv.conf'), ''),
    copyFile(keys.authority.certificate, join(directory, 'ca.crt')),
    writeKubeletFiles(settings),
    cloneImageStore(settings.imageStore, join(paths.data, node.name, 'lib', 'containerd')),
    createControlGroup(controlGroup(settings)),
  ]);
}

async function writeKubeletFiles(settings: NodeSettings): Promise<void> {
  const { node, network, paths, keys } = settings;
  const directory = paths.node(node.name);
  const client = await keys.authority.issue(`kubelet-${node.name}`, {
    commonName: `system:node:${node.name}`,
    organizations: ['system:nodes'],
    addresses: node.addresses,
    names: [node.name],
  });
  await writeKubeconfig(join(directory, 'kubelet.kubeconfig'), {
    server: apiServerUrl(network),
    authority: keys.authority.certificate,
    client,
  });
  const configuration = kubeletConfiguration({
    authority: keys.authority.certificate,
    ...client,
    cgroupRoot: `/${controlGroup(settings)}`,
    resolvConf: join(directory, 'resolv.conf'),
    clusterDNS: primaryOf(network.dnsService),
  });
  await writeFile(join(directory, 'kubelet.yaml'), configuration);
}

function controlGroup({ cluster, node }: NodeSettings): string {
  return `${clusterControlGroup(cluster)}/${node.name}`;
}

/** Starts containerd in the node and waits until it answers. */
export async function startContainerd({ node, paths, binaries }: NodeSettings, nodePid: number): Promise<Daemon> {
  const configuration = join(paths.node(node.name), 'containerd.toml');
  const path = [dirname(binaries['containerd-shim-runc-v2']), process.env['PATH'] ?? ''].join(delimiter);
  const daemon = await startDaemon({
    name: 'containerd',
    command: [...enterNode(nodePid), binaries.containerd, '--config', configuration],
    log: join(paths.logs, `${node.name}-containerd.log`),
    env: { PATH: path },
    diesWithParent: false,
  });
  // The machine sees the node's /run through the root of its first process.
  const socket = `/proc/${nodePid}/root/run/containerd/containerd.sock`;
  await waitFor(`containerd serves on ${node.name}`, () => Promise.resolve(existsSync(socket)), daemonWait(daemon));
  return daemon;
}

export async function startKubelet({ node, paths, binaries }: NodeSettings, nodePid: number): Promise<Daemon> {
  const directory = paths.node(node.name);
  const flags = [
    `--config=${join(directory, 'kubelet.yaml')}`,
    `--kubeconfig=${join(directory, 'kubelet.kubeconfig')}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.addresses.join(',')}`,
  ];
  return startDaemon({
    name: 'kubelet',
    command: [...enterNode(nodePid), binaries.kubelet, ...flags],
    log: join(paths.logs, `${node.name}-kubelet.log`),
    diesWithParent: false,
  });
}

export async function importImage(ctr: string, nodePid: number, archive: string): Promise<void> {
  await importArchive([...enterNode(nodePid), ctr], archive);
}
