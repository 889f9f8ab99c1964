/**
 * Services with every kind of frontend, and the ways to them that traffic takes while a test changes something on the
 * node.
 */
import type { NodeConfig, ProxyMode } from '../../src/api/nodeConfig.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import { addresses } from './network.ts';
import type { ServiceManifest } from './serviceManifests.ts';
import { clusterIP, defaultConfig, loadBalancerIP } from './serviceManifests.ts';
import type { Route } from './traffic.ts';

export const flowPort = 8090;
/** The node's: the first for flows that stay open, the second for new connections, as the Services' ports 80 and 81. */
const nodePorts = [30_200, 30_201] as const;

const ports: ServiceManifest['ports'] = [
  { name: 'flows', port: 80, targetPort: flowPort, protocol: 'TCP' },
  { name: 'datagrams', port: 80, targetPort: flowPort, protocol: 'UDP' },
  { name: 'connections', port: 81, targetPort: flowPort + 1, protocol: 'TCP' },
];
const publishedPorts: ServiceManifest['ports'] = ports.map((port) =>
  Object.assign({ nodePort: port['port'] === 80 ? nodePorts[0] : nodePorts[1] }, port),
);
const allClients = ['192.0.2.0/24', '10.244.0.0/16', '2001:db8:1::/48', 'fd00:10:244::/48'];

export const services: readonly ServiceManifest[] = [
  {
    name: 'web',
    clusterIP: clusterIP(200),
    ports: publishedPorts,
    pods: ['podA', 'remotePod'],
    loadBalancerIP: loadBalancerIP(200),
    spec: { type: 'LoadBalancer', loadBalancerSourceRanges: allClients },
  },
  { name: 'sticky', clusterIP: clusterIP(201), ports, pods: ['podA', 'podC'], spec: { sessionAffinity: 'ClientIP' } },
  { name: 'deserted', clusterIP: clusterIP(202), ports, pods: [] },
  ...Array.from({ length: 3 }, (_each, index): ServiceManifest => ({
    name: `other-${index}`,
    clusterIP: clusterIP(210 + index),
    ports,
    pods: ['podC'],
  })),
];

/** The ways to a Service's port 80 (`index` 0) or 81 (`index` 1), in both families. */
export function routes(what: string, index: 0 | 1): readonly Route[] {
  return ipFamilies.flatMap((family) => [
    { name: `${what} ${family} ClusterIP`, address: clusterIP(200)[family], port: 80 + index },
    { name: `${what} ${family} sticky ClusterIP`, address: clusterIP(201)[family], port: 80 + index },
    { name: `${what} ${family} NodePort`, address: addresses.node[family], port: nodePorts[index] },
    { name: `${what} ${family} balancer IP`, address: loadBalancerIP(200)[family], port: 80 + index },
  ]);
}

/** Flows that stay open while the mode changes. */
export const openFlows = (['TCP', 'UDP'] as const).flatMap((protocol) =>
  routes(protocol, 0).map((route) => Object.assign({ protocol }, route)),
);

/** Without localTraffic, so that a connection of the node's own is masqueraded only where it must be. */
export function configOf(mode: ProxyMode, migration: Partial<NodeConfig['migration']>): NodeConfig {
  const { localTraffic: _none, ...rest } = defaultConfig;
  return {
    ...rest,
    mode,
    migration: { ...rest.migration, ...migration },
    ...(mode === 'ipvs' && { ipvs: { scheduler: 'rr', strictARP: false, excludeCIDRs: [], udpTimeoutSeconds: 3 } }),
  };
}
