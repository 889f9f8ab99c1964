/**
 * What the API server holds when the cluster is up: its nodes and its DNS. Pure.
 * @module
 */
import { apiServerPort } from './addresses.ts';
import type { ClusterNetwork, NodeAddress } from './addresses.ts';
import { imageTags } from './imageTags.ts';

type Manifest = Record<string, unknown>;

const namespace = 'kube-system';
const dnsLabels = { 'k8s-app': 'kube-dns' };

const corefile = `.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    ttl 5
  }
  cache 5
  loadbalance
}
`;

/** One list for one `kubectl create`. */
export function clusterManifests(network: ClusterNetwork): string {
  const dns = [...dnsAccess(), dnsConfiguration(), dnsDeployment(network), dnsService(network)];
  const items = [...network.nodes.map(nodeManifest), ...dns];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

/** Made before the kubelet registers: it keeps what it finds, and each node gets the pod ranges that its CNI uses. */
function nodeManifest({ name, podCIDRs, zone }: NodeAddress): Manifest {
  const labels = {
    'kubernetes.io/hostname': name,
    'topology.kubernetes.io/zone': zone,
    'topology.kubernetes.io/region': 'local',
  };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { podCIDR: podCIDRs[0], podCIDRs } };
}

function dnsAccess(): Manifest[] {
  const name = 'system:coredns';
  const rules = [
    { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  ];
  const rbac = 'rbac.authorization.k8s.io';
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'coredns', namespace } },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name }, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: 'coredns', namespace }],
    },
  ];
}

function dnsConfiguration(): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'coredns', namespace },
    data: { Corefile: corefile },
  };
}

function dnsDeployment(network: ClusterNetwork): Manifest {
  const template = { metadata: { labels: dnsLabels }, spec: dnsPod(network) };
  const spec = { replicas: 1, selector: { matchLabels: dnsLabels }, template };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'coredns', namespace, labels: dnsLabels },
    spec,
  };
}

/** Reaches the API server by its own address: no Service works until the proxy under test runs. */
function dnsPod({ controlPlane }: ClusterNetwork): Manifest {
  const env = [
    { name: 'KUBERNETES_SERVICE_HOST', value: controlPlane.address },
    { name: 'KUBERNETES_SERVICE_PORT', value: String(apiServerPort) },
  ];
  const container = {
    name: 'coredns',
    image: imageTags.coredns,
    imagePullPolicy: 'Never',
    args: ['-conf', '/etc/coredns/Corefile'],
    env,
    ports: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
    ],
    readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
    volumeMounts: [{ name: 'configuration', mountPath: '/etc/coredns' }],
  };
  return {
    serviceAccountName: 'coredns',
    dnsPolicy: 'Default',
    priorityClassName: 'system-cluster-critical',
    tolerations: [{ operator: 'Exists' }],
    containers: [container],
    volumes: [{ name: 'configuration', configMap: { name: 'coredns' } }],
  };
}

function dnsService({ dnsService: clusterIPs }: ClusterNetwork): Manifest {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  ];
  const ipFamilyPolicy = clusterIPs.length > 1 ? 'RequireDualStack' : 'SingleStack';
  const spec = { selector: dnsLabels, clusterIP: clusterIPs[0], clusterIPs, ipFamilyPolicy, ports };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'kube-dns', namespace, labels: dnsLabels }, spec };
}
