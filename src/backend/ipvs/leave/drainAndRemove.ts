/**
 * Removal while another mode serves: what has connections drains, and then everything goes.
 */
import { endFlowsTo } from '../../../netfilter/conntrack/tools/conntrack.ts';
import type { DrainResult, DrainRequest } from '../../backend.ts';
import { runTool } from '../../../netfilter/errors.ts';
import type { XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import { CommandCount } from '../../engine/commandCount.ts';
import { ToolLines } from '../apply/toolLines.ts';
import type { ChangeSet } from '../plan/changeSet.ts';
import { formatChangeSet } from '../plan/changeSet.ts';
import { namesOf, removeLeftovers } from './cleanup.ts';
import { planDrain } from '../plan/drain.ts';
import { findTools } from '../apply/kernel.ts';
import type { KernelState } from '../plan/kernelState.ts';
import { readLeftovers } from './leftovers.ts';
import type { ServerName } from '../../../netfilter/ipvs/virtualServer.ts';
import { serverAddress, setMembersOf } from '../../../netfilter/ipvs/virtualServer.ts';

/**
 * One step: drains what has connections and removes what has none; without any, or where `drains` is false, removes
 * everything and ends the flows that this cuts. A dry run only names what stands. Throws a SyncError.
 */
export async function drainAndRemove(
  node: XtablesNode,
  { drains, signal, ...request }: DrainRequest,
): Promise<DrainResult> {
  const leftovers = await readLeftovers(node);
  if (request.isDryRun === true) return { removed: namesOf(leftovers, node), draining: 0 };
  if (isEmpty(leftovers)) return { removed: [], draining: 0 };
  const { changes, busy } = planDrain(leftovers);
  if (drains && busy.length > 0) {
    await write(changes, node, signal);
    return { removed: [], draining: busy.length };
  }
  const removed = await removeLeftovers(leftovers, node, request);
  await endFlows(busy, node);
  return { removed, draining: 0 };
}

function isEmpty({ hasDevice, sets, formerSets, servers, hasSpareSet }: KernelState): boolean {
  return !hasDevice && !hasSpareSet && sets.size + formerSets.size + servers.size === 0;
}

async function write(changes: ChangeSet, { family, host }: XtablesNode, signal: AbortSignal): Promise<void> {
  const lines = new ToolLines({ tools: await findTools(host), count: new CommandCount(), signal });
  const steps = formatChangeSet(changes, family);
  await lines.ipvsadm(steps.servers);
  await lines.ip(steps.addresses);
  await lines.ipset([...steps.sets, ...steps.setsAfter]);
  await lines.ipvsadm(steps.serversAfter);
}

/**
 * Connections that are cut are still tracked as going to the node itself. Forgotten, their next packet takes the way of
 * a new one: UDP is served again at once, and a TCP client is refused by the pod, which does not know its connection,
 * instead of waiting in vain.
 */
async function endFlows(cut: readonly ServerName[], { family, host }: XtablesNode): Promise<void> {
  for (const name of cut) {
    const { protocol, port } = setMembersOf(name);
    await runTool('conntrack', () => endFlowsTo({ protocol, address: serverAddress(name), port }, family, host));
  }
}
