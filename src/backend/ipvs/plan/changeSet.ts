/**
 * What has to be done to the kernel, as data, and its wording in the order in which it may be done.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import { checked } from '../../../netfilter/checked.ts';
import type { Entry, SetId } from './sets.ts';
import { definitionOf, setName, spareSetName } from './sets.ts';
import type { RealServer, ServerName, ServerSettings } from '../../../netfilter/ipvs/virtualServer.ts';
import { formatRealServer, formatServer } from '../../../netfilter/ipvs/virtualServer.ts';

export const deviceName = 'kube-ipvs0';

/** No part of it has an order: that is `formatChangeSet`'s. */
export interface ChangeSet {
  readonly servers: {
    readonly added: ServerSettings[];
    readonly edited: ServerSettings[];
    readonly removed: ServerName[];
  };
  /** `revived` get weight 1 and masquerading; `draining` get weight 0 and keep their connections. */
  readonly realServers: {
    readonly added: RealServer[];
    readonly revived: RealServer[];
    readonly draining: RealServer[];
    readonly removed: RealServer[];
  };
  /** New and empty. */
  readonly sets: { readonly id: SetId; readonly maxElements: number }[];
  readonly entries: { readonly added: Entry[]; readonly removed: Entry[] };
  /** Sets that become larger, with all that they are to hold. */
  readonly enlarged: { readonly id: SetId; readonly maxElements: number; readonly values: readonly string[] }[];
  readonly addresses: { readonly added: string[]; readonly removed: string[] };
}

/** Nothing yet, to be added to. */
export function emptyChangeSet(): ChangeSet {
  return {
    servers: { added: [], edited: [], removed: [] },
    realServers: { added: [], revived: [], draining: [], removed: [] },
    sets: [],
    entries: { added: [], removed: [] },
    enlarged: [],
    addresses: { added: [], removed: [] },
  };
}

/** The changes by which nothing goes that somebody may use. */
export function additionsOf({ servers, realServers, sets, entries, enlarged, addresses }: ChangeSet): ChangeSet {
  return {
    servers: { ...servers, removed: [] },
    realServers: { ...realServers, draining: [], removed: [] },
    sets,
    entries: { added: entries.added, removed: [] },
    enlarged,
    addresses: { added: addresses.added, removed: [] },
  };
}

/** The others. */
export function removalsOf({ servers, realServers, entries, addresses }: ChangeSet): ChangeSet {
  const { draining, removed } = realServers;
  return {
    ...emptyChangeSet(),
    servers: { added: [], edited: [], removed: servers.removed },
    realServers: { added: [], revived: [], draining, removed },
    entries: { added: [], removed: entries.removed },
    addresses: { added: [], removed: addresses.removed },
  };
}

/**
 * Lines for a tool each, in this order. What leads to something comes after it when it is added, and before it when it
 * goes.
 */
export interface Steps {
  readonly servers: readonly string[];
  readonly sets: readonly string[];
  readonly addresses: readonly string[];
  /**
   * The entry of an address in KUBE-IPVS-IPS, which keeps the node's own ports closed, stays until the address is gone.
   */
  readonly setsAfter: readonly string[];
  readonly serversAfter: readonly string[];
}

/** Throws InvalidRule where a value holds something that must not reach a tool. */
export function formatChangeSet(changes: ChangeSet, family: IPFamily): Steps {
  const { servers, realServers, addresses } = changes;
  return {
    servers: [
      ...servers.added.map((server) => formatServer('-A', server)),
      ...servers.edited.map((server) => formatServer('-E', server)),
      ...realServers.added.map((real) => formatRealServer('-a', real, 1)),
      ...realServers.revived.map((real) => formatRealServer('-e', real, 1)),
      ...realServers.draining.map((real) => formatRealServer('-e', real, 0)),
      ...realServers.removed.map(({ server, address }) => `-d ${server} -r ${checked.socketAddress(address)}`),
    ],
    sets: formatSets(changes, family),
    addresses: [
      ...addresses.added.map((address) => addAddress(address, family)),
      ...addresses.removed.map((address) => `address del ${host(address)} dev ${deviceName}`),
    ],
    setsAfter: addresses.removed.map(
      (address) => `del ${setName('KUBE-IPVS-IPS', family)} ${checked.network(address)}`,
    ),
    serversAfter: servers.removed.map((name) => `-D ${name}`),
  };
}

function formatSets({ sets, entries, enlarged, addresses }: ChangeSet, family: IPFamily): readonly string[] {
  const entry = (action: 'add' | 'del', { set, value }: Entry): string => `${action} ${setName(set, family)} ${value}`;
  return [
    ...sets.map(({ id, maxElements }) => `create ${setName(id, family)} ${definitionOf(id, family, maxElements)}`),
    ...enlarged.flatMap((set) => enlarge(set, family)),
    ...entries.added.map((each) => entry('add', each)),
    ...addresses.added.map((address) => entry('add', { set: 'KUBE-IPVS-IPS', value: checked.network(address) })),
    ...entries.removed.map((each) => entry('del', each)),
  ];
}

/** Rules that ask the set see the old one or the new one whole. */
function enlarge({ id, maxElements, values }: ChangeSet['enlarged'][number], family: IPFamily): readonly string[] {
  const spare = spareSetName(family);
  return [
    `create ${spare} ${definitionOf(id, family, maxElements)}`,
    ...values.map((value) => `add ${spare} ${value}`),
    `swap ${spare} ${setName(id, family)}`,
    `destroy ${spare}`,
  ];
}

function addAddress(address: string, family: IPFamily): string {
  // Nobody else can have it, so there is nothing to wait for; `replace` is content with one that is there.
  return `address replace ${host(address)} dev ${deviceName}${family === 'ipv6' ? ' nodad' : ''}`;
}

function host(address: string): string {
  return `${checked.network(address)}/${address.includes(':') ? 128 : 32}`;
}
