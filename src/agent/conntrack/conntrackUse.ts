/**
 * Warns before the kernel's connection tracking table is full: from then on new connections are dropped, of Services
 * and of everything else.
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Sysctls } from '../../system/sysctl.ts';

export interface ConntrackUseOptions {
  readonly sysctls: Pick<Sysctls, 'read'>;
  readonly metrics: Pick<AgentMetrics, 'conntrackUsed'>;
  readonly logger: Logger;
  /** `conditions` changed. */
  readonly onStatusChange: () => void;
  /** Between two readings, in ms; default 30,000. */
  readonly periodMs?: number;
}

/** Shares of the table. The warning stays until there is room again, so that it does not come and go. */
const warnAtShare = 0.8;
const clearBelowShare = 0.75;
const countPath = 'net/netfilter/nf_conntrack_count';
const limitPath = 'net/netfilter/nf_conntrack_max';

export class ConntrackUse {
  readonly #options: ConntrackUseOptions;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #nearlyFullLimit: number | undefined;

  constructor(options: ConntrackUseOptions) {
    this.#options = options;
  }

  /** Reads now and every period from now on. To be called once. */
  start(): void {
    const read = (): void => void (this.#reading = this.#read());
    this.#timer = setInterval(read, this.#options.periodMs ?? 30_000);
    read();
  }

  /** Resolves when the running reading has ended; none follows. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading;
  }

  /** `ConntrackTable` while the table is nearly full. Without the number of connections, which changes all the time. */
  conditions(): readonly NodeConditionNow[] {
    if (this.#nearlyFullLimit === undefined) return [];
    const message = `The node's connection tracking table is more than ${warnAtShare * 100} % full (it holds ${this.#nearlyFullLimit}); new connections are dropped when it is full. Raise spec.conntrack.maxPerCore or min.`;
    return [{ type: 'ConntrackTable', status: 'False', reason: 'NearlyFull', message }];
  }

  async #read(): Promise<void> {
    const { sysctls, metrics, logger, onStatusChange } = this.#options;
    try {
      const values = await sysctls.read([countPath, limitPath]);
      const [count, limit] = [Number(values?.get(countPath)), Number(values?.get(limitPath))];
      // Without the kernel's module there is no table; without a limit it is never full.
      if (!(limit > 0)) return;
      metrics.conntrackUsed.set(count / limit);
      const isNearlyFull = count / limit >= (this.#nearlyFullLimit === undefined ? warnAtShare : clearBelowShare);
      const nearlyFullLimit = isNearlyFull ? limit : undefined;
      if (nearlyFullLimit === this.#nearlyFullLimit) return;
      this.#nearlyFullLimit = nearlyFullLimit;
      logger.warn(
        isNearlyFull ? 'the connection tracking table is nearly full' : 'the connection tracking table has room again',
        { count, limit },
      );
      onStatusChange();
    } catch (error) {
      logger.debug('the size of the connection tracking table could not be read', { error });
    }
  }
}
