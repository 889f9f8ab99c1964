/**
 * Watches a node's rules between the syncs: sets the anchor that keeps connection tracking hooked in
 * (`netfilter/conntrack`), and reports at once when another program flushes rules (`netfilter/nft`).
 */
import { ipFamilies, type IPFamily } from '../../model/ipFamily.ts';
import type { Logger } from '../../observability/logger.ts';
import { LossReports } from './lossReports.ts';
import { anchorTable, holdAnchor, setAnchor } from '../../netfilter/conntrack/tools/conntrackAnchor.ts';
import { type WatchedNames, watchForLosses } from '../../netfilter/nft/tools/monitor.ts';

export interface FlushMonitorOptions {
  readonly logger: Logger;
  /** Rules of this family may be gone. Called once for all events within 10 ms, and for rules that may be another
   * program's once in 5 s. */
  readonly onLoss: (family: IPFamily) => void;
}

export interface FlushMonitor {
  /** Ends its programs; nothing is reported any more. The anchor stays. */
  stop(): Promise<void>;
}

export type StartFlushMonitor = (options: FlushMonitorOptions) => Promise<FlushMonitor>;

/**
 * Resolves when the anchor is set. `names`: by which a flush of our rules is noticed. Without nft there is neither
 * anchor nor monitor: the periodic check and the canary in mangle are left. Never throws.
 */
export async function startFlushMonitor(
  names: WatchedNames,
  { logger, onLoss }: FlushMonitorOptions,
): Promise<FlushMonitor> {
  const trySetAnchor = async (): Promise<boolean> => {
    try {
      return await setAnchor();
    } catch (error) {
      logger.warn(
        'the conntrack anchor could not be set; connections may stall for a moment when all rules are exchanged',
        { error },
      );
      return false;
    }
  };
  if (!(await trySetAnchor())) return { stop: () => Promise.resolve() };
  const reports = new Map(ipFamilies.map((family) => [family, new LossReports(() => onLossOf(family))]));
  const onLossOf = (family: IPFamily): void => {
    onLoss(family);
    void trySetAnchor();
  };
  const monitor = watchForLosses({
    names: { ...names, tables: [...names.tables, anchorTable] },
    onLoss: ({ family, mayBeOthers }) => reports.get(family)?.request(mayBeOthers),
    onEnd: (why) => logger.warn('flushed rules are not monitored; only the periodic check finds them', { why }),
  });
  const heldAnchor = holdAnchor((why) => logger.debug('the nft that holds the anchor ended', { why }));
  return {
    stop: async () => {
      await Promise.all([monitor.stop(), heldAnchor.stop()]);
      for (const each of reports.values()) each.stop();
    },
  };
}
