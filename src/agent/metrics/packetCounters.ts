/**
 * Metrics of what the kernel's rules count: read when they are scraped, once for all scrapes at the same time.
 */
import type { Backend } from '../../backend/backend.ts';
import { type IPFamily, ipFamilies } from '../../model/ipFamily.ts';
import type { Logger } from '../../observability/logger.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import { familyLabels } from './familyLabels.ts';

export interface PacketCountersOptions {
  /** The backend that serves a family; undefined where none does. */
  readonly backend: (family: IPFamily) => Backend | undefined;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
}

/** Brings the metrics up to date; never throws. */
export type RefreshPacketCounters = () => Promise<void>;

/** For each family. */
const timeoutMs = 5000;

/** Kernel counters become increments of the metrics, so that a rule written anew makes no counter go back. */
export function createPacketCounters({ backend, metrics, logger }: PacketCountersOptions): RefreshPacketCounters {
  const lastCounts = new Map<IPFamily, number>();
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    for (const family of ipFamilies) {
      const counts = await backend(family)?.packetCounts?.(AbortSignal.timeout(timeoutMs));
      if (counts === undefined) continue;
      const { invalidDropped } = counts;
      const before = lastCounts.get(family) ?? 0;
      // A rule that was written anew counts from 0.
      metrics.invalidDropped.inc(
        { ip_family: familyLabels[family] },
        invalidDropped < before ? invalidDropped : invalidDropped - before,
      );
      lastCounts.set(family, invalidDropped);
    }
  }

  return () => {
    reading ??= read()
      .catch((error: unknown) => logger.warn('the counters of rules could not be read', { error }))
      .finally(() => (reading = undefined));
    return reading;
  };
}
