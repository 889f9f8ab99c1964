/**
 * Which ports of TCP and UDP programs listen on, in the network namespace of this process: as /proc/net shows them,
 * without a program and without taking a port.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';
import { createInterface } from 'node:readline';

export interface ListeningSocket {
  readonly protocol: 'TCP' | 'UDP';
  /** Of the socket. One of IPv6 that is bound to `::` may take IPv4 as well; /proc does not say whether it does. */
  readonly family: 'ipv4' | 'ipv6';
  /** All groups of IPv6 are written out; `0.0.0.0`, or zeros, for all addresses. */
  readonly address: string;
  readonly port: number;
  /** Of the socket: another one for each that is opened. */
  readonly inode: number;
  /** Whether it is this process that has it open. */
  readonly isOwn: boolean;
}

const files = [
  { protocol: 'TCP', family: 'ipv4', file: '/proc/net/tcp' },
  { protocol: 'TCP', family: 'ipv6', file: '/proc/net/tcp6' },
  { protocol: 'UDP', family: 'ipv4', file: '/proc/net/udp' },
  { protocol: 'UDP', family: 'ipv6', file: '/proc/net/udp6' },
] as const;

/** TCP_LISTEN, and TCP_CLOSE for a socket of UDP that is not connected (linux/tcp_states.h). */
const listening = { TCP: '0A', UDP: '07' } as const;
/** Of one file: a node with more sockets of UDP than this is not looked at as a whole. */
const maxLines = 20_000;

/**
 * Those of all programs, whatever user they run as. The kernel shows sockets of TCP that listen before connections, of
 * which there may be hundreds of thousands: these are not read. What cannot be read has none. Never throws.
 */
export async function readListeningSockets(): Promise<readonly ListeningSocket[]> {
  const [own, ...read] = await Promise.all([ownInodes(), ...files.map((each) => readSockets(each).catch(() => []))]);
  return read.flat().map((socket) => Object.assign(socket, { isOwn: own.has(socket.inode) }));
}

type Read = Omit<ListeningSocket, 'isOwn'>;

async function readSockets({ protocol, family, file }: (typeof files)[number]): Promise<Read[]> {
  const sockets: Read[] = [];
  const stream = createReadStream(file, 'latin1');
  await once(stream, 'open');
  let lines = 0;
  for await (const line of createInterface({ input: stream })) {
    lines += 1;
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === listening[protocol]) sockets.push({ protocol, family, ...socketOf(local), inode: Number(inode) });
    else if (lines > maxLines || (protocol === 'TCP' && lines > 1)) break;
  }
  stream.destroy();
  return sockets;
}

/** `ADDRESS:PORT` in hexadecimal, the address in words of 32 bits as they are in memory. */
function socketOf(local: string): Pick<ListeningSocket, 'address' | 'port'> {
  const [hex = '', port = ''] = local.split(':');
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  const address = bytes.length === 4 ? [...bytes].join('.') : groups.join(':');
  return { address, port: Number.parseInt(port, 16) };
}

async function ownInodes(): Promise<ReadonlySet<number>> {
  const directory = '/proc/self/fd';
  const names = await readdir(directory).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => '')));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.slice(1).map(Number) ?? []));
}
