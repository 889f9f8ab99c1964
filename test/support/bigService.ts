/** A Service of many ports and endpoints, and where its endpoints answer. */
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { ServiceKey } from '../../src/model/service.ts';
import { type ServiceState, serviceStateOf } from '../../src/model/serviceState.ts';

export const bigKey = 'default/big';
const portsPerSlice = 100;

export interface BigServiceSize {
  readonly ports: number;
  readonly endpoints: number;
  readonly affinity?: boolean;
}

export const bigAddress = '10.96.200.1';
/** All of it leads to the node itself. */
export const bigEndpointNetwork = '10.2.0.0/24';

export function firstPortOf(index: number): number {
  return 1000 + index;
}

/** Above the ports that connections of the node are made from. */
export function targetPortOf(index: number): number {
  return 31_000 + index;
}

export function bigService({ ports, affinity = false }: BigServiceSize): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'big', namespace: 'default' },
    spec: {
      clusterIP: bigAddress,
      clusterIPs: [bigAddress],
      ports: indexes(ports).map(servicePort),
      ...(affinity && { sessionAffinity: 'ClientIP' }),
    },
  };
}

function servicePort(index: number): object {
  return { name: `p${index}`, protocol: 'TCP', port: firstPortOf(index), targetPort: targetPortOf(index) };
}

/** A slice holds 100 ports, and 100 endpoints at most here. */
export function bigSlices({ ports, endpoints }: BigServiceSize): readonly object[] {
  return indexes(Math.ceil(ports / portsPerSlice)).map((slice) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `big-${slice}`, namespace: 'default', labels: { 'kubernetes.io/service-name': 'big' } },
    addressType: 'IPv4',
    ports: indexes(ports)
      .slice(slice * portsPerSlice, (slice + 1) * portsPerSlice)
      .map((index) => ({ name: `p${index}`, protocol: 'TCP', port: targetPortOf(index) })),
    endpoints: indexes(endpoints).map((index) => ({
      addresses: [`10.2.0.${index + 1}`],
      conditions: { ready: true },
    })),
  }));
}

function indexes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** The state of a node that sees these Services and a big one. */
export function stateWithBig(size: BigServiceSize, others: ServiceState): ServiceState {
  const { record } = decodeService(bigService(size));
  const slices = bigSlices(size).flatMap((each) => decodeEndpointSlice(each).record ?? []);
  if (record === undefined) throw new Error('the big Service is not valid');
  const { node, config, family } = others;
  const sources = { services: new Map([[bigKey, record]]), slices: new Map([[bigKey, slices]]), node, config, family };
  const big = serviceStateOf(sources);
  const stateOf = (key: ServiceKey): ServiceState => (key === bigKey ? big : others);
  return {
    node,
    config,
    family,
    clusterIPRanges: others.clusterIPRanges,
    keys: () => [...others.keys(), bigKey].sort(),
    ports: (key) => stateOf(key).ports(key),
    size: (key) => stateOf(key).size(key),
  };
}
