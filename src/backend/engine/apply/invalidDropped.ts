/**
 * What rules count.
 */
import { runTool } from '../../../netfilter/errors.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { forward } from '../kubeChains.ts';

const dropsInvalid = new RegExp(String.raw`^\[(\d+):\d+\] -A ${forward} -m conntrack --ctstate INVALID -j DROP$`);

/**
 * Number of packets of no connection that were dropped since the rule for them was written; 0 where
 * `conntrack.tcpBeLiberal` leaves it out. Throws a SyncError.
 */
export async function countInvalidDropped(iptables: Iptables, signal: AbortSignal): Promise<number> {
  let packets = 0;
  const read = (line: string): void => {
    packets += Number(dropsInvalid.exec(line)?.[1] ?? 0);
  };
  await runTool('iptables-save', () => iptables.counters('filter', read, signal));
  return packets;
}
