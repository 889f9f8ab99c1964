/**
 * Watches a node's rules between the syncs: reports at once when another program flushes rules (`netfilter/nft`), and
 * keeps the conntrack anchor, which a flush takes as well. What of this the node has to do without is a condition.
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import { ipFamilies, type IPFamily } from '../../model/ipFamily.ts';
import { anchorTable } from '../../netfilter/conntrack/tools/conntrackAnchor.ts';
import { toolError } from '../../netfilter/errors.ts';
import { type WatchedNames, watchForLosses } from '../../netfilter/nft/tools/monitor.ts';
import type { Logger } from '../../observability/logger.ts';
import { AnchorKeeper } from './anchorKeeper.ts';
import { LossReports } from './lossReports.ts';
import { ToolCondition } from './toolCondition.ts';

export interface FlushMonitorOptions {
  readonly logger: Logger;
  /** Rules of this family may be gone. Called once for all events within 10 ms, and for rules that may be another
   * program's once in 5 s. */
  readonly onLoss: (family: IPFamily) => void;
  /**
   * Whether rules of ours stand in nf_tables. Where they do not, the kernel has nothing to report of them, and the
   * canary in mangle of iptables-legacy is an anchor.
   */
  readonly isNftUsed: () => boolean;
  /** `conditions` may have changed. */
  readonly onStatusChange: () => void;
}

export interface FlushMonitor {
  /** `ConntrackAnchor` and `FlushMonitor`, where the node needs them and has to do without. */
  readonly conditions: () => readonly NodeConditionNow[];
  /** Ends its programs; nothing is reported any more. The anchor stays. */
  stop(): Promise<void>;
}

export type StartFlushMonitor = (options: FlushMonitorOptions) => Promise<FlushMonitor>;

/**
 * Resolves when the anchor is set, or could not be. `names`: by which a flush of our rules is noticed. What fails is
 * tried again, after a minute at most. Never throws.
 */
export async function startFlushMonitor(
  names: WatchedNames,
  { logger, onLoss, isNftUsed, onStatusChange }: FlushMonitorOptions,
): Promise<FlushMonitor> {
  const anchor = new AnchorKeeper({ logger, onStatusChange, isNeeded: isNftUsed });
  await anchor.start();
  const condition = new ToolCondition({
    type: 'FlushMonitor',
    meaning: 'Flushed rules are found by the periodic check alone (drift.checkPeriodSeconds); it is started again.',
    logger,
    onStatusChange,
  });
  const reports = new Map(ipFamilies.map((family) => [family, new LossReports(() => onLossOf(family))]));
  const onLossOf = (family: IPFamily): void => {
    onLoss(family);
    anchor.restore();
  };
  const monitor = watchForLosses({
    names: { ...names, tables: [...names.tables, anchorTable] },
    onLoss: ({ family, mayBeOthers }) => reports.get(family)?.request(mayBeOthers),
    onReady: () => {
      // Nobody listened meanwhile.
      if (condition.hasFailed) for (const each of reports.values()) each.request(false);
      condition.succeed();
    },
    onEnd: (why) => condition.fail(toolError('setpriv perl', why)),
  });
  return {
    conditions: () => [...anchor.conditions(), ...(isNftUsed() ? condition.conditions() : [])],
    stop: async () => {
      await Promise.all([monitor.stop(), anchor.stop()]);
      for (const each of reports.values()) each.stop();
    },
  };
}
