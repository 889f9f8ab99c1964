/**
 * The files that a node's programs read. Pure: each function answers a file's text.
 * @module
 */
import { stringify } from 'yaml';
import { familyOf } from '../../src/model/ipFamily.ts';
import type { MachineAddress, NodeAddress } from './addresses.ts';
import { cniPluginDirectories } from './requirements.ts';

export interface ContainerdSettings {
  readonly pauseImage: string;
  /** Directory of the CNI configuration. */
  readonly cniDirectory: string;
}

/** Snapshotters and services that need what a node here has not; each costs time at the start. */
const unusedPlugins = ['btrfs', 'devmapper', 'zfs', 'erofs', 'blockfile'].map(
  (name) => `io.containerd.snapshotter.v1.${name}`,
);

/**
 * For a machine without CAP_SYS_RESOURCE: there, a pod whose OOM score goes below its parent's does not start, and
 * AppArmor may not be loaded from within namespaces.
 */
export function containerdConfiguration({ pauseImage, cniDirectory }: ContainerdSettings): string {
  return `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = ${tomlList(unusedPlugins)}

[grpc]
address = '/run/containerd/containerd.sock'

[plugins.'io.containerd.cri.v1.images']
snapshotter = 'overlayfs'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '${pauseImage}'

[plugins.'io.containerd.cri.v1.runtime']
disable_apparmor = true
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ${tomlList(cniPluginDirectories)}
conf_dir = '${cniDirectory}'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}

/** For a containerd that only unpacks images. */
export function importerConfiguration({
  root,
  state,
  socket,
}: {
  root: string;
  state: string;
  socket: string;
}): string {
  return `version = 3
root = '${root}'
state = '${state}'
disabled_plugins = ${tomlList([...unusedPlugins, 'io.containerd.grpc.v1.cri'])}

[grpc]
address = '${socket}'

[ttrpc]
address = '${socket}.ttrpc'
`;
}

const everywhere = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const;

/** Pods are routed, never masqueraded: what rewrites addresses in this cluster is the proxy under test. */
export function cniConfiguration({ podCIDRs }: NodeAddress): string {
  const ipam = {
    type: 'host-local',
    dataDir: '/run/cni-ipam',
    ranges: podCIDRs.map((subnet) => [{ subnet }]),
    routes: podCIDRs.map((subnet) => ({ dst: everywhere[familyOf(subnet)] })),
  };
  const plugins = [
    ...withoutDuplicateDetection,
    { type: 'ptp', ipMasq: false, ipam },
    { type: 'portmap', capabilities: { portMappings: true } },
  ];
  return JSON.stringify({ cniVersion: '1.0.0', name: 'pods', plugins }, undefined, 2);
}

/**
 * A pod waits up to two seconds until its IPv6 address is known to be the only one; here it is. The setting has to be
 * there before the pod's interface is, and the tuning plugin insists on being second.
 */
const withoutDuplicateDetection = [
  { type: 'loopback' },
  { type: 'tuning', sysctl: { 'net.ipv6.conf.default.accept_dad': '0', 'net.ipv6.conf.default.dad_transmits': '0' } },
];

export interface KubeletSettings {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly cgroupRoot: string;
  readonly resolvConf: string;
  /** Address of the DNS Service. */
  readonly clusterDNS: string;
}

/** Close to the defaults, except for what protects a disk that is not the cluster's own. */
export function kubeletConfiguration(settings: KubeletSettings): string {
  const { authority, certificate, key, cgroupRoot, resolvConf, clusterDNS } = settings;
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: authority } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: certificate,
    tlsPrivateKeyFile: key,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupRoot,
    failCgroupV1: false,
    failSwapOn: false,
    clusterDNS: [clusterDNS],
    clusterDomain: 'cluster.local',
    resolvConf,
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    serializeImagePulls: false,
  });
}

export function hostsFile(machines: readonly MachineAddress[]): string {
  const lines = machines.flatMap(({ name, addresses }) => addresses.map((address) => `${address}\t${name}`));
  return ['127.0.0.1\tlocalhost', '::1\tlocalhost', ...lines, ''].join('\n');
}

function tomlList(values: readonly string[]): string {
  return `[${values.map((value) => `'${value}'`).join(', ')}]`;
}
