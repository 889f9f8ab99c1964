/**
 * A condition of the node for as long as a program fails that runs beside the syncs.
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { SyncError } from '../../netfilter/errors.ts';
import type { Logger } from '../../observability/logger.ts';

export interface ToolConditionOptions {
  readonly type: NodeConditionNow['type'];
  /** What it means for the node's users while the program fails: a sentence for the condition, and for the log. */
  readonly meaning: string;
  readonly logger: Logger;
  /** The condition may have changed. */
  readonly onStatusChange: () => void;
}

export class ToolCondition {
  readonly #options: ToolConditionOptions;
  #failure: SyncError | undefined;

  constructor(options: ToolConditionOptions) {
    this.#options = options;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** To be called at each failure: the first one of a kind is a warning. */
  fail(error: SyncError): void {
    const { type, meaning, logger, onStatusChange } = this.#options;
    const isKnown = this.#failure?.message === error.message;
    logger[isKnown ? 'debug' : 'warn'](meaning, { condition: type, error });
    this.#failure = error;
    if (!isKnown) onStatusChange();
  }

  /** To be called at each success. */
  succeed(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#options.logger.info('a program that failed works again', { condition: this.#options.type });
    this.#options.onStatusChange();
  }

  /** None while all is well. */
  conditions(): readonly NodeConditionNow[] {
    if (this.#failure === undefined) return [];
    const { type, meaning } = this.#options;
    const { reason, message } = this.#failure;
    return [{ type, status: 'False', reason, message: `${message}. ${meaning}` }];
  }
}
