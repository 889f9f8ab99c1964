/**
 * What stands guard over a node's rules between the syncs: the anchor that keeps connection tracking hooked in, and the
 * ear that hears somebody flush rules of ours.
 */
import type { IPFamily } from '../model/ipFamily.ts';
import type { Logger } from '../observability/logger.ts';
import { holdAnchor, setAnchor } from '../system/conntrackAnchor.ts';
import { watchForLosses } from '../system/nftMonitor.ts';

export interface FlushMonitorOptions {
  readonly logger: Logger;
  /** Rules of this family may be gone. */
  readonly onLoss: (family: IPFamily) => void;
}

export interface FlushMonitor {
  stop(): Promise<void>;
}

export type StartFlushMonitor = (options: FlushMonitorOptions) => Promise<FlushMonitor>;

/** One flush is many events. */
const settleMs = 10;

/**
 * Resolves when the anchor stands. Without nft there is neither; the periodic check and the canary in mangle are left.
 */
export const startFlushMonitor: StartFlushMonitor = async ({ logger, onLoss }) => {
  const anchor = async (): Promise<boolean> => {
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
  if (!(await anchor())) return { stop: () => Promise.resolve() };
  const timers = new Map<IPFamily, NodeJS.Timeout>();
  const lost = (family: IPFamily): void => {
    if (timers.has(family)) return;
    const settled = (): void => {
      timers.delete(family);
      onLoss(family);
      void anchor();
    };
    timers.set(family, setTimeout(settled, settleMs));
  };
  const monitor = watchForLosses({
    onLoss: lost,
    onEnd: (why) =>
      logger.warn('nobody listens for flushed rules; they are noticed by the periodic check alone', { why }),
  });
  const held = holdAnchor((why) => logger.debug('the nft that holds the anchor ended', { why }));
  return {
    stop: async () => {
      await Promise.all([monitor.stop(), held.stop()]);
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
};
