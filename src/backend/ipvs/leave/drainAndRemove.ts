/**
 * Removal while another mode serves: what has connections drains, and then everything goes.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import { endFlowsTo } from '../../../netfilter/conntrack/conntrack.ts';
import type { IptablesHost } from '../../../netfilter/xtables/iptables.ts';
import type { DrainResult, DrainRequest } from '../../backend.ts';
import { runTool } from '../../../netfilter/errors.ts';
import type { ChangeSet } from '../plan/changeSet.ts';
import { formatChangeSet } from '../plan/changeSet.ts';
import { removeLeftovers } from './cleanup.ts';
import { planDrain } from '../plan/drain.ts';
import { findTools } from '../apply/kernel.ts';
import type { KernelState } from '../plan/kernelState.ts';
import { readLeftovers } from './leftovers.ts';
import type { ServerName } from '../plan/virtualServer.ts';
import { serverAddress, setMembersOf } from '../plan/virtualServer.ts';

/**
 * One step: drains what has connections and removes what has none; without any, or where `drains` is false, removes
 * everything and ends the flows that this cuts. Throws a SyncError.
 */
export async function drainAndRemove(
  family: IPFamily,
  host: IptablesHost,
  { drains, signal }: DrainRequest,
): Promise<DrainResult> {
  const leftovers = await readLeftovers(family, host);
  if (isEmpty(leftovers)) return { removed: [], draining: 0 };
  const { changes, busy } = planDrain(leftovers);
  if (drains && busy.length > 0) {
    await write(changes, family, { host, signal });
    return { removed: [], draining: busy.length };
  }
  const removed = await removeLeftovers(leftovers, family, host);
  await endFlows(busy, family, host);
  return { removed, draining: 0 };
}

function isEmpty({ hasDevice, sets, servers, hasSpareSet }: KernelState): boolean {
  return !hasDevice && !hasSpareSet && sets.size === 0 && servers.size === 0;
}

async function write(
  changes: ChangeSet,
  family: IPFamily,
  { host, signal }: { host: IptablesHost; signal: AbortSignal },
): Promise<void> {
  const { ipvsadm, ipset, ip } = await findTools(host);
  const steps = formatChangeSet(changes, family);
  await send(steps.servers, 'ipvsadm', (input) => ipvsadm.restore(input, signal));
  await send(steps.addresses, 'ip', (input) => ip.batch(input, signal));
  await send([...steps.sets, ...steps.setsAfter], 'ipset', (input) => ipset.restore(input, signal));
  await send(steps.serversAfter, 'ipvsadm', (input) => ipvsadm.restore(input, signal));
}

async function send(
  lines: readonly string[],
  tool: string,
  load: (input: Iterable<string>) => Promise<void>,
): Promise<void> {
  if (lines.length > 0) await runTool(tool, () => load(lines.map((line) => `${line}\n`)));
}

/**
 * Connections that are cut are still tracked as going to the node itself. Forgotten, their next packet takes the way of
 * a new one: UDP is served again at once, and a TCP client is refused by the pod, which does not know its connection,
 * instead of waiting in vain.
 */
async function endFlows(cut: readonly ServerName[], family: IPFamily, host: IptablesHost): Promise<void> {
  for (const name of cut) {
    const { protocol, port } = setMembersOf(name);
    await runTool('conntrack', () => endFlowsTo({ protocol, address: serverAddress(name), port }, family, host));
  }
}
