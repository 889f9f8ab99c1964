/**
 * The IP sets of ipvs mode: few rules find many Services in them. Names, types and fields are kube-proxy's, but for
 * the two KUBE-NO-LOCAL-* sets (docs/adr: ipvs mode without kube-proxy's faults). Entries are worded as `ipset save`
 * words them, so that both can be compared.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import { canBeFull, portValue, setDefinition, type SetType, socketValue } from '../../../netfilter/ipset/entries.ts';
import type { Socket } from '../../../netfilter/socket.ts';

const types = {
  'KUBE-LOOP-BACK': 'hash:ip,port,ip',
  'KUBE-CLUSTER-IP': 'hash:ip,port',
  'KUBE-NODE-PORT-TCP': 'bitmap:port',
  'KUBE-NODE-PORT-LOCAL-TCP': 'bitmap:port',
  'KUBE-NODE-PORT-UDP': 'bitmap:port',
  'KUBE-NODE-PORT-LOCAL-UDP': 'bitmap:port',
  'KUBE-NODE-PORT-SCTP-HASH': 'hash:ip,port',
  'KUBE-NODE-PORT-LOCAL-SCTP-HASH': 'hash:ip,port',
  'KUBE-HEALTH-CHECK-NODE-PORT': 'bitmap:port',
  'KUBE-IPVS-IPS': 'hash:ip',
  /** Cluster IPs with policy Local and endpoints on other nodes only. */
  'KUBE-NO-LOCAL-CLUSTER-IP': 'hash:ip,port',
  /** The same for NodePorts. */
  'KUBE-NO-LOCAL-EXTERNAL': 'hash:ip,port',
} as const satisfies Record<string, SetType>;

/** As IPv4 names it. */
export type SetId = keyof typeof types;

export const setIds: readonly SetId[] = Object.keys(types) as SetId[];

/**
 * Of kube-proxy, and of agents before ADR 17: they held frontends that rules serve now
 * (docs/adr/0017-no-external-address-becomes-local.md). Only taken away.
 */
export const formerSetIds = [
  'KUBE-EXTERNAL-IP',
  'KUBE-EXTERNAL-IP-LOCAL',
  'KUBE-LOAD-BALANCER',
  'KUBE-LOAD-BALANCER-LOCAL',
  'KUBE-LOAD-BALANCER-FW',
  'KUBE-LOAD-BALANCER-SOURCE-CIDR',
  'KUBE-LOAD-BALANCER-SOURCE-IP',
] as const;
export type FormerSetId = (typeof formerSetIds)[number];

/** What the kernel takes at first; a fuller set is replaced by a larger one. */
export const firstMaxElements = 65_536;
const maxNameLength = 31;

/** IPv6 has sets of its own, named as kube-proxy names them, cut to what the kernel takes. */
export function setName(id: SetId | FormerSetId, family: IPFamily): string {
  return family === 'ipv4' ? id : `KUBE-6-${id.slice('KUBE-'.length)}`.slice(0, maxNameLength);
}

/** The set in which a larger one is built before both change places. */
export function spareSetName(family: IPFamily): string {
  return family === 'ipv4' ? 'KUBE-SPARE-4' : 'KUBE-SPARE-6';
}

/** Whether the set can be full. */
export function isBounded(id: SetId): boolean {
  return canBeFull(types[id]);
}

/** `create NAME TYPE …` without the first word and the name. */
export function definitionOf(id: SetId, family: IPFamily, maxElements: number): string {
  return setDefinition(types[id], family, maxElements);
}

/** By name, in one family. */
export function setIdsByName(family: IPFamily): ReadonlyMap<string, SetId> {
  return byName(setIds, family);
}

/** By name, in one family. */
export function formerSetIdsByName(family: IPFamily): ReadonlyMap<string, FormerSetId> {
  return byName(formerSetIds, family);
}

function byName<Id extends SetId | FormerSetId>(ids: readonly Id[], family: IPFamily): ReadonlyMap<string, Id> {
  return new Map(ids.map((id) => [setName(id, family), id]));
}

/** One member of a set. */
export interface Entry {
  readonly set: SetId;
  readonly value: string;
}

/** Throws InvalidRule. */
export function portEntry(set: SetId, port: number): Entry {
  return { set, value: portValue(port) };
}

/** `source`: an address or a network, for sets of three fields. Throws InvalidRule. */
export function socketEntry(set: SetId, socket: Socket, source?: string): Entry {
  return { set, value: socketValue(socket, source) };
}
