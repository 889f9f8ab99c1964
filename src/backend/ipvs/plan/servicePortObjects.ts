/**
 * One Service port in the terms of ipvs: a virtual server for each of its addresses, and what the rules must know of
 * them.
 */
import {
  type Endpoint,
  type ServicePort,
  isExternallyReachable,
  servicePortName,
  socketAddress,
} from '../../../model/servicePort.ts';
import { cidrContains } from '../../../model/ipFamily.ts';
import type { IpvsContext } from './context.ts';
import type { Entry, SetId } from './sets.ts';
import type { Socket } from '../../../netfilter/socket.ts';
import { portEntry, socketEntry } from './sets.ts';
import type { VirtualServer } from '../../../netfilter/ipvs/virtualServer.ts';
import { serverName } from '../../../netfilter/ipvs/virtualServer.ts';

export interface ServicePortObjects {
  /** Unique in a plan, and the owner of all below: of two with the same address and port, the first by name gets it. */
  readonly id: string;
  readonly virtualServers: readonly VirtualServer[];
  /** Those that must stand on kube-ipvs0. */
  readonly addresses: readonly string[];
  readonly entries: readonly Entry[];
  readonly endpoints: number;
}

/** What is decided once about a Service port and read by everything below. */
interface Subject {
  readonly port: ServicePort;
  readonly context: IpvsContext;
  readonly internalEndpoints: readonly Endpoint[];
  readonly externalEndpoints: readonly Endpoint[];
  /** There are endpoints, but none that the policy allows to those outside. */
  readonly lacksInternal: boolean;
  readonly lacksExternal: boolean;
  readonly externalLocal: boolean;
}

/** Everything that a Service port wants in the kernel. Throws InvalidRule. */
export function planServicePort(port: ServicePort, context: IpvsContext): ServicePortObjects {
  const subject = describe(port, context);
  const virtual = [port.clusterIP, ...port.externalIPs, ...port.loadBalancerIPs];
  const used = new Map(
    [...subject.internalEndpoints, ...(isExternallyReachable(port) ? subject.externalEndpoints : [])].map((each) => [
      socketAddress(each),
      each,
    ]),
  );
  return {
    id: servicePortName(port) + port.protocol.toLowerCase(),
    virtualServers: [
      server(subject, socketOf(port, port.clusterIP), subject.internalEndpoints),
      ...externalSockets(subject).map((socket) => server(subject, socket, subject.externalEndpoints)),
    ],
    addresses: virtual.filter((address) => !context.localAddresses.has(address)),
    entries: [
      ...clusterEntries(subject),
      ...externalEntries(subject),
      ...balancerEntries(subject),
      ...nodePortEntries(subject),
      ...hairpinEntries(port, used.values()),
    ],
    endpoints: used.size,
  };
}

function describe(port: ServicePort, context: IpvsContext): Subject {
  const hasEndpoints = port.clusterEndpoints.length > 0;
  const hasLocal = port.localEndpoints.length > 0;
  const externalLocal = port.externalTrafficPolicy === 'Local';
  return {
    port,
    context,
    internalEndpoints: port.internalTrafficPolicy === 'Local' ? port.localEndpoints : port.clusterEndpoints,
    // One virtual server cannot distinguish pods from clients outside: without local endpoints it has all of them, and
    // a rule keeps the others out.
    externalEndpoints: externalLocal && hasLocal ? port.localEndpoints : port.clusterEndpoints,
    lacksInternal: port.internalTrafficPolicy === 'Local' && hasEndpoints && !hasLocal,
    lacksExternal: externalLocal && hasEndpoints && !hasLocal,
    externalLocal,
  };
}

function socketOf({ protocol, port }: ServicePort, address: string): Socket {
  return { protocol, address, port };
}

function nodePortSockets({ port, context }: Subject): readonly Socket[] {
  return port.nodePort === 0
    ? []
    : context.nodePortAddresses.map((address) => ({ protocol: port.protocol, address, port: port.nodePort }));
}

function externalSockets(subject: Subject): readonly Socket[] {
  const { port } = subject;
  return [
    ...[...port.externalIPs, ...port.loadBalancerIPs].map((address) => socketOf(port, address)),
    ...nodePortSockets(subject),
  ];
}

function server({ port, context }: Subject, socket: Socket, endpoints: readonly Endpoint[]): VirtualServer {
  return {
    name: serverName(socket),
    scheduler: context.scheduler,
    persistenceSeconds: port.affinityTimeoutSeconds,
    realServers: endpoints.map(socketAddress).sort(),
  };
}

function clusterEntries({ port, lacksInternal }: Subject): readonly Entry[] {
  const socket = socketOf(port, port.clusterIP);
  const sets: readonly SetId[] = ['KUBE-CLUSTER-IP', ...(lacksInternal ? (['KUBE-NO-LOCAL-CLUSTER-IP'] as const) : [])];
  return sets.map((set) => socketEntry(set, socket));
}

function externalEntries(subject: Subject): readonly Entry[] {
  const { port, externalLocal, lacksExternal } = subject;
  const set: SetId = externalLocal ? 'KUBE-EXTERNAL-IP-LOCAL' : 'KUBE-EXTERNAL-IP';
  return [
    ...port.externalIPs.map((address) => socketEntry(set, socketOf(port, address))),
    ...(lacksExternal ? externalSockets(subject).map((socket) => socketEntry('KUBE-NO-LOCAL-EXTERNAL', socket)) : []),
  ];
}

function balancerEntries({ port, context, externalLocal }: Subject): readonly Entry[] {
  const ranges = port.loadBalancerSourceRanges;
  // ipset holds no network of length 0, and one that holds everybody keeps nobody out.
  const hasFirewall = port.restrictsSources && !ranges.some((range) => range.endsWith('/0'));
  const allowsNode =
    context.nodeAddress !== undefined && ranges.some((range) => cidrContains(range, context.nodeAddress ?? ''));
  return port.loadBalancerIPs.flatMap((address) => {
    const socket = socketOf(port, address);
    return [
      socketEntry('KUBE-LOAD-BALANCER', socket),
      ...(externalLocal ? [socketEntry('KUBE-LOAD-BALANCER-LOCAL', socket)] : []),
      ...(hasFirewall
        ? [
            socketEntry('KUBE-LOAD-BALANCER-FW', socket),
            ...ranges.map((range) => socketEntry('KUBE-LOAD-BALANCER-SOURCE-CIDR', socket, range)),
          ]
        : []),
      ...(hasFirewall && allowsNode ? [socketEntry('KUBE-LOAD-BALANCER-SOURCE-IP', socket, address)] : []),
    ];
  });
}

const nodePortSets: Record<'TCP' | 'UDP', { readonly all: SetId; readonly local: SetId }> = {
  TCP: { all: 'KUBE-NODE-PORT-TCP', local: 'KUBE-NODE-PORT-LOCAL-TCP' },
  UDP: { all: 'KUBE-NODE-PORT-UDP', local: 'KUBE-NODE-PORT-LOCAL-UDP' },
};

function nodePortEntries(subject: Subject): readonly Entry[] {
  const { port, externalLocal } = subject;
  const healthCheck =
    port.healthCheckNodePort === 0 ? [] : [portEntry('KUBE-HEALTH-CHECK-NODE-PORT', port.healthCheckNodePort)];
  if (port.nodePort === 0) return healthCheck;
  if (port.protocol === 'SCTP') {
    const sets: readonly SetId[] = [
      'KUBE-NODE-PORT-SCTP-HASH',
      ...(externalLocal ? (['KUBE-NODE-PORT-LOCAL-SCTP-HASH'] as const) : []),
    ];
    return [
      ...healthCheck,
      ...nodePortSockets(subject).flatMap((socket) => sets.map((set) => socketEntry(set, socket))),
    ];
  }
  const { all, local } = nodePortSets[port.protocol];
  return [...healthCheck, portEntry(all, port.nodePort), ...(externalLocal ? [portEntry(local, port.nodePort)] : [])];
}

/**
 * A pod that reaches itself through its Service must see another source address; only pods of this node can come by
 * here.
 */
function hairpinEntries({ protocol }: ServicePort, endpoints: Iterable<Endpoint>): readonly Entry[] {
  const local = [...endpoints].filter(({ isLocal }) => isLocal);
  return local.map(({ address, port }) => socketEntry('KUBE-LOOP-BACK', { protocol, address, port }, address));
}
