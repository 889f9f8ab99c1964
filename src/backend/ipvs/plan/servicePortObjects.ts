/**
 * One Service port in the terms of ipvs: virtual servers for its cluster IP and its NodePort, and what the rules must
 * know of them. Its external and load balancer IPs have rules of their own (`externalRules.ts`).
 */
import {
  type Endpoint,
  type ServicePort,
  isExternallyReachable,
  servicePortName,
  socketAddress,
} from '../../../model/servicePort.ts';
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
  const { internalEndpoints, externalEndpoints } = subject;
  const served = distinct([...internalEndpoints, ...(port.nodePort === 0 ? [] : externalEndpoints)]);
  return {
    id: servicePortName(port) + port.protocol.toLowerCase(),
    virtualServers: [
      server(subject, socketOf(port, port.clusterIP), internalEndpoints),
      ...nodePortSockets(subject).map((socket) => server(subject, socket, externalEndpoints)),
    ],
    addresses: [port.clusterIP].filter((address) => !context.localAddresses.has(address)),
    entries: [...clusterEntries(subject), ...nodePortEntries(subject), ...hairpinEntries(port, served)],
    endpoints: isExternallyReachable(port) ? distinct([...served, ...externalEndpoints]).length : served.length,
  };
}

function distinct(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return [...new Map(endpoints.map((each) => [socketAddress(each), each])).values()];
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

const nodePortSets: Record<'TCP' | 'UDP', { readonly all: SetId; readonly local: SetId }> = {
  TCP: { all: 'KUBE-NODE-PORT-TCP', local: 'KUBE-NODE-PORT-LOCAL-TCP' },
  UDP: { all: 'KUBE-NODE-PORT-UDP', local: 'KUBE-NODE-PORT-LOCAL-UDP' },
};

function nodePortEntries(subject: Subject): readonly Entry[] {
  const { port, lacksExternal } = subject;
  const away: readonly SetId[] = lacksExternal ? ['KUBE-NO-LOCAL-EXTERNAL'] : [];
  return [
    ...(port.healthCheckNodePort === 0 ? [] : [portEntry('KUBE-HEALTH-CHECK-NODE-PORT', port.healthCheckNodePort)]),
    ...(port.nodePort === 0 ? [] : masqueradeEntries(subject)),
    ...nodePortSockets(subject).flatMap((socket) => away.map((set) => socketEntry(set, socket))),
  ];
}

/** By which the rules know whether a NodePort's client keeps its address. */
function masqueradeEntries(subject: Subject): readonly Entry[] {
  const { port, externalLocal } = subject;
  if (port.protocol === 'SCTP') {
    const sets: readonly SetId[] = [
      'KUBE-NODE-PORT-SCTP-HASH',
      ...(externalLocal ? (['KUBE-NODE-PORT-LOCAL-SCTP-HASH'] as const) : []),
    ];
    return nodePortSockets(subject).flatMap((socket) => sets.map((set) => socketEntry(set, socket)));
  }
  const { all, local } = nodePortSets[port.protocol];
  return [portEntry(all, port.nodePort), ...(externalLocal ? [portEntry(local, port.nodePort)] : [])];
}

/**
 * A pod that reaches itself through its Service must see another source address; only pods of this node can come by
 * here.
 */
function hairpinEntries({ protocol }: ServicePort, endpoints: readonly Endpoint[]): readonly Entry[] {
  const local = endpoints.filter(({ isLocal }) => isLocal);
  return local.map(({ address, port }) => socketEntry('KUBE-LOOP-BACK', { protocol, address, port }, address));
}
