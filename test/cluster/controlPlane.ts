/**
 * What the programs of the control plane are started with. Pure: the bare API server and the whole cluster share it.
 * @module
 */
import type { Authority, Certificate, ServiceAccountKey } from './certificates.ts';

/** Names of the API server in its certificate, besides its addresses. */
export const apiServerNames = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

export interface ControlPlaneKeys {
  readonly authority: Authority;
  readonly server: Certificate;
  /** The API server as the kubelets' client. */
  readonly kubeletClient: Certificate;
  readonly serviceAccount: ServiceAccountKey;
}

export interface EtcdSettings {
  readonly dataDirectory: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
}

/** Without fsync: the data need not outlive the machine, and disks are slow where tests run. */
export function etcdArguments({ dataDirectory, clientUrl, peerUrl }: EtcdSettings): string[] {
  return [
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

export interface ApiServerSettings {
  readonly etcdUrl: string;
  readonly bindAddress: string;
  readonly advertiseAddress: string;
  readonly port: number;
  readonly serviceRanges: readonly string[];
  readonly keys: ControlPlaneKeys;
  /** For what it writes by itself. */
  readonly certificateDirectory: string;
  readonly further?: readonly string[];
}

export function apiServerArguments(settings: ApiServerSettings): string[] {
  const { authority, server, kubeletClient, serviceAccount } = settings.keys;
  return [
    `--etcd-servers=${settings.etcdUrl}`,
    `--bind-address=${settings.bindAddress}`,
    `--advertise-address=${settings.advertiseAddress}`,
    `--secure-port=${settings.port}`,
    `--cert-dir=${settings.certificateDirectory}`,
    `--tls-cert-file=${server.certificate}`,
    `--tls-private-key-file=${server.key}`,
    `--client-ca-file=${authority.certificate}`,
    `--kubelet-certificate-authority=${authority.certificate}`,
    `--kubelet-client-certificate=${kubeletClient.certificate}`,
    `--kubelet-client-key=${kubeletClient.key}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--service-account-key-file=${serviceAccount.publicKey}`,
    `--service-account-signing-key-file=${serviceAccount.privateKey}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-cluster-ip-range=${settings.serviceRanges.join(',')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--enable-aggregator-routing=true',
    '--allow-privileged=true',
    '--profiling=false',
    ...(settings.further ?? []),
  ];
}

export interface ControllerSettings {
  readonly kubeconfig: string;
  readonly podRanges: readonly string[];
  readonly keys: ControlPlaneKeys;
}

/** The default of 20 requests a second is meant for busy clusters; starting all controllers takes a hundred. */
const requestRate = ['--kube-api-qps=500', '--kube-api-burst=1000'];

/** Periods are left at their defaults; there is nobody to elect a leader against. */
export function controllerManagerArguments({ kubeconfig, podRanges, keys }: ControllerSettings): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--root-ca-file=${keys.authority.certificate}`,
    `--service-account-private-key-file=${keys.serviceAccount.privateKey}`,
    '--use-service-account-credentials=true',
    '--allocate-node-cidrs=false',
    `--cluster-cidr=${podRanges.join(',')}`,
    '--leader-elect=false',
    ...requestRate,
  ];
}

export function schedulerArguments(kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    ...requestRate,
  ];
}
