/**
 * Warns before the kernel's connection tracking table is full: from then on new connections are dropped, of Services
 * and of everything else.
 */
import type { ConditionNow } from '../api/conditions.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import type { Logger } from '../observability/logger.ts';
import type { Sysctls } from '../system/sysctl.ts';

export interface ConntrackUseOptions {
  readonly sysctls: Pick<Sysctls, 'read'>;
  readonly metrics: Pick<AgentMetrics, 'conntrackUsed'>;
  readonly logger: Logger;
  readonly onStatusChange: () => void;
  /** Default 30 s. */
  readonly periodMs?: number;
}

/** The warning stays until there is room again, so that it does not come and go with every connection. */
const warnAt = 0.8;
const forgetBelow = 0.75;
const countPath = 'net/netfilter/nf_conntrack_count';
const limitPath = 'net/netfilter/nf_conntrack_max';

export class ConntrackUse {
  readonly #options: ConntrackUseOptions;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #fullOf: number | undefined;

  constructor(options: ConntrackUseOptions) {
    this.#options = options;
  }

  start(): void {
    const read = (): void => void (this.#reading = this.#read());
    this.#timer = setInterval(read, this.#options.periodMs ?? 30_000);
    read();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading;
  }

  /** Without the number of connections, which would be news all the time. */
  conditions(): readonly ConditionNow[] {
    if (this.#fullOf === undefined) return [];
    const message = `The node's connection tracking table is more than ${warnAt * 100} % full (it holds ${this.#fullOf}); new connections are dropped when it is full. Raise spec.conntrack.maxPerCore or min.`;
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
      const isNearlyFull = count / limit >= (this.#fullOf === undefined ? warnAt : forgetBelow);
      const fullOf = isNearlyFull ? limit : undefined;
      if (fullOf === this.#fullOf) return;
      this.#fullOf = fullOf;
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
