/**
 * Types of IP sets and their entries, as `ipset save` words them, so that what is desired and what is there can be
 * compared. Every token is checked.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import { checked } from '../checked.ts';
import type { Socket } from '../socket.ts';

export type SetType = 'bitmap:port' | 'hash:ip' | 'hash:ip,port' | 'hash:ip,port,ip';

/** Only hash sets can be full: a bitmap has room for every port. */
export function canBeFull(type: SetType): boolean {
  return type !== 'bitmap:port';
}

/** `create NAME TYPE …` without the first word and the name. Throws InvalidRule. */
export function setDefinition(type: SetType, family: IPFamily, maxElements: number): string {
  if (type === 'bitmap:port') return `${type} range 0-65535`;
  return `${type} family ${family === 'ipv4' ? 'inet' : 'inet6'} hashsize 1024 maxelem ${checked.integer(maxElements, 2 ** 31)}`;
}

/** Throws InvalidRule. */
export function portValue(port: number): string {
  return String(checked.integer(port, 65_535));
}

/** `source`: an address or a network, for sets of three fields. Throws InvalidRule. */
export function socketValue({ address, protocol, port }: Socket, source?: string): string {
  const socket = `${checked.network(address)},${checked.protocol(protocol.toLowerCase())}:${checked.integer(port, 65_535)}`;
  return source === undefined ? socket : `${socket},${checked.network(source.replace(wholeAddress(source), ''))}`;
}

/** A network of one address is worded without its length. */
function wholeAddress(network: string): RegExp {
  return network.includes(':') ? /\/128$/ : /\/32$/;
}
