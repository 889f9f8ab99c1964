/**
 * How this mode leaves while another one serves: decided anew from what the kernel holds each time, so that an agent
 * that starts in the middle goes on with it.
 */
import type { ChangeSet } from './changeSet.ts';
import { emptyChangeSet } from './changeSet.ts';
import type { KernelState } from './kernelState.ts';
import type { ExistingServer } from '../../../netfilter/ipvs/serverReader.ts';
import type { Entry } from './sets.ts';
import type { ServerName } from '../../../netfilter/ipvs/virtualServer.ts';
import { serverAddress, setMembersOf } from '../../../netfilter/ipvs/virtualServer.ts';

export interface Drain {
  /** What has to be done now. */
  readonly changes: ChangeSet;
  /** Virtual servers that still have connections. */
  readonly busy: readonly ServerName[];
}

/**
 * Real servers with connections get weight 0, so that they take no new ones, whatever the protocol: a UDP flow, too,
 * goes on where it was. All others go, and with the last one its virtual server, the set entries that know it, and at
 * last the address.
 */
export function planDrain(leftovers: KernelState): Drain {
  const changes = emptyChangeSet();
  for (const [name, server] of leftovers.servers) drainServer(name, server, changes);
  const busy = [...leftovers.servers].filter(([, server]) => hasConnections(server)).map(([name]) => name);
  const kept = new Set(busy.map(serverAddress));
  changes.addresses.removed.push(...[...leftovers.addresses].filter((address) => !kept.has(address)));
  changes.entries.removed.push(...entriesBut(busy, leftovers));
  return { changes, busy };
}

function hasConnections({ realServers }: ExistingServer): boolean {
  return [...realServers.values()].some(({ connections }) => connections > 0);
}

function drainServer(server: ServerName, existing: ExistingServer, { servers, realServers }: ChangeSet): void {
  if (!hasConnections(existing)) {
    servers.removed.push(server);
    return;
  }
  for (const [address, { connections, weight }] of existing.realServers) {
    if (connections === 0) realServers.removed.push({ server, address });
    else if (weight !== 0) realServers.draining.push({ server, address });
  }
}

/** KUBE-IPVS-IPS follows the addresses: its entries go with the lines of these (`formatChangeSet`). */
function entriesBut(kept: readonly ServerName[], { sets }: KernelState): readonly Entry[] {
  const members = kept.map(setMembersOf);
  const sockets = new Set(members.map(({ socket }) => socket));
  const ports = new Set(members.map(({ protocol, port }) => `${protocol} ${port}`));
  const isKept = ({ set, value }: Entry): boolean =>
    sockets.has(value.split(',', 2).join(',')) || ports.has(`${set.slice(set.lastIndexOf('-') + 1)} ${value}`);
  const entries = [...sets]
    .filter(([set]) => set !== 'KUBE-IPVS-IPS')
    .flatMap(([set, existing]) => [...existing.entries].map((value): Entry => ({ set, value })));
  return entries.filter((entry) => !isKept(entry));
}
