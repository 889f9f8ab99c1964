/**
 * Virtual servers as data, and the only place that words them for ipvsadm.
 */
import { familyOf } from '../../model/ipFamily.ts';
import type { Protocol } from '../../model/protocol.ts';
import { checked } from '../checked.ts';
import type { Socket } from '../socket.ts';

/** How ipvsadm names a virtual server: `-t 10.96.0.1:443`, `-u [fd00::1]:53`, `--sctp-service 10.96.0.1:80`. */
export type ServerName = string;

export interface VirtualServer {
  readonly name: ServerName;
  /** By name; one of the kernel's. */
  readonly scheduler: string;
  /** Seconds for which a client stays with its real server; undefined without affinity. */
  readonly persistenceSeconds: number | undefined;
  /** `10.244.1.2:8080`, sorted. */
  readonly realServers: readonly string[];
}

const options: Record<Protocol, string> = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' };

/** Throws InvalidRule. */
export function serverName({ protocol, address, port }: Socket): ServerName {
  const host = familyOf(address) === 'ipv6' ? `[${checked.network(address)}]` : checked.network(address);
  return `${options[protocol]} ${host}:${checked.integer(port, 65_535)}`;
}

/** The address that a virtual server listens on. */
export function serverAddress(name: ServerName): string {
  const socket = name.slice(name.indexOf(' ') + 1);
  return socket.slice(0, socket.lastIndexOf(':')).replaceAll(/[[\]]/g, '');
}

/** Whether the kernel sees when a connection ends: only those of TCP. */
export function endsConnections(name: ServerName): boolean {
  return name.startsWith('-t ');
}

/** From the columns of `ipvsadm -Ln`: `TCP` and `10.96.0.1:443`; undefined for what is no virtual server's line. */
export function listedServerName(protocol: string, socket: string): ServerName | undefined {
  const option = Object.entries(options).find(([name]) => name === protocol)?.[1];
  return option === undefined ? undefined : `${option} ${socket}`;
}

export type ServerSettings = Pick<VirtualServer, 'name' | 'scheduler' | 'persistenceSeconds'>;

export interface RealServer {
  readonly server: ServerName;
  readonly address: string;
}

const schedulerName = /^[a-z]{2,16}$/;

/** A line for ipvsadm. Throws a TypeError for what is no name of a scheduler. */
export function formatServer(action: '-A' | '-E', { name, scheduler, persistenceSeconds }: ServerSettings): string {
  if (!schedulerName.test(scheduler)) throw new TypeError('not the name of a scheduler');
  return `${action} ${name} -s ${scheduler}${persistenceSeconds === undefined ? '' : ` -p ${checked.integer(persistenceSeconds, 86_400)}`}`;
}

/** A line for ipvsadm, always masquerading: the reply must come back through this node. Throws InvalidRule. */
export function formatRealServer(action: '-a' | '-e', { server, address }: RealServer, weight: 0 | 1): string {
  return `${action} ${server} -r ${checked.socketAddress(address)} -m -w ${weight}`;
}

/** How entries of IP sets name a virtual server's address and port. */
export function setMembersOf(name: ServerName): {
  readonly protocol: Protocol;
  readonly socket: string;
  readonly port: string;
} {
  const protocol = (Object.keys(options) as Protocol[]).find((each) => name.startsWith(`${options[each]} `)) ?? 'TCP';
  const port = name.slice(name.lastIndexOf(':') + 1);
  return { protocol, socket: `${serverAddress(name)},${protocol.toLowerCase()}:${port}`, port };
}
