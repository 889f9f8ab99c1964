/** Services in many shapes for tests of the iptables backend. */
import * as fc from 'fast-check';
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import type { PodName } from '../../support/network.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { clusterIP, loadBalancerIP, stateOf } from '../../support/serviceManifests.ts';

export const signal = new AbortController().signal;
const podNames: readonly PodName[] = ['podA', 'podB', 'podC', 'remotePod'];

/** Many plain Services with three endpoints each, by index. */
export function manyServices(count: number): readonly ServiceManifest[] {
  return Array.from({ length: count }, (_, index) => plainService(index));
}

export function plainService(index: number, pods: readonly PodName[] = ['podA', 'podB', 'remotePod']): ServiceManifest {
  const ip = { ipv4: `10.96.${index >> 8}.${index & 255}`, ipv6: `fd00:10:96::${index.toString(16)}` };
  return {
    namespace: 'many',
    name: `svc-${String(index).padStart(5, '0')}`,
    clusterIP: ip,
    ports: [{ port: 80 }],
    pods,
  };
}

/** The same, each with a load balancer IP. */
export function manyBalanced(count: number): readonly ServiceManifest[] {
  return manyServices(count).map((service, index) => Object.assign(service, balancedBy(index)));
}

export function balancedBy(index: number): Partial<ServiceManifest> {
  return {
    loadBalancerIP: { ipv4: `198.18.${index >> 8}.${index & 255}`, ipv6: `2001:db8:2::${index.toString(16)}` },
    spec: { type: 'LoadBalancer' },
  };
}

/** One Service in any of the shapes that lead to different rules. */
function serviceArbitrary(index: number): fc.Arbitrary<ServiceManifest> {
  const policy = fc.constantFrom('Cluster', 'Local');
  return fc
    .record({
      type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
      pods: fc.subarray([...podNames]),
      internalTrafficPolicy: policy,
      externalTrafficPolicy: policy,
      sessionAffinity: fc.constantFrom('None', 'ClientIP'),
      guarded: fc.boolean(),
      protocol: fc.constantFrom('TCP', 'UDP'),
    })
    .map((shape) => serviceOfShape(index, shape));
}

interface Shape extends Record<string, unknown> {
  readonly type: string;
  readonly pods: readonly PodName[];
  readonly guarded: boolean;
  readonly protocol: string;
}

function serviceOfShape(index: number, { type, pods, guarded, protocol, ...rest }: Shape): ServiceManifest {
  const spec: Record<string, unknown> = { ...rest, type };
  if (guarded) spec['loadBalancerSourceRanges'] = ['192.0.2.0/24', '2001:db8:1::/64'];
  if (type === 'LoadBalancer') spec['healthCheckNodePort'] = 31_000 + index;
  const port = { name: 'main', port: 80, protocol, nodePort: type === 'ClusterIP' ? 0 : 30_000 + index };
  const service = { name: `svc-${index}`, clusterIP: clusterIP(index), ports: [port], spec, pods };
  return type === 'LoadBalancer' ? { ...service, loadBalancerIP: loadBalancerIP(index) } : service;
}

/** Some of a few Services, each in any shape. */
export const servicesArbitrary: fc.Arbitrary<readonly ServiceManifest[]> = fc
  .tuple(...[1, 2, 3, 4, 5].map((index) => fc.option(serviceArbitrary(index), { nil: undefined })))
  .map((services) => services.filter((service) => service !== undefined));

export function keysOf(...lists: readonly (readonly ServiceManifest[])[]): ReadonlySet<string> {
  return new Set(lists.flat().map(({ namespace = 'default', name }) => `${namespace}/${name}`));
}

export function state(
  manifests: readonly ServiceManifest[],
  config: Partial<NodeConfig> = {},
  family: IPFamily = 'ipv4',
  serviceCIDRs: readonly string[] = [],
): ServiceState {
  return stateOf(family, manifests, config, serviceCIDRs);
}

/** Those of the Services here. */
export const serviceCIDRs = ['10.96.0.0/12', 'fd00:10:96::/64'];
