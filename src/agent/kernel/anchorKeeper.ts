/**
 * Sets the anchor that keeps connection tracking hooked in (`netfilter/conntrack`), and sets it again where it is gone
 * or could not be set.
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import { holdAnchor, setAnchor } from '../../netfilter/conntrack/tools/conntrackAnchor.ts';
import { SyncError, toolError } from '../../netfilter/errors.ts';
import type { LongRunning } from '../../system/longRunning.ts';
import { ToolCondition, type ToolConditionOptions } from './toolCondition.ts';

export interface AnchorKeeperOptions extends Pick<ToolConditionOptions, 'logger' | 'onStatusChange'> {
  /** Whether the node needs it: without, what could not be set is not tried again. */
  readonly isNeeded: () => boolean;
}

const type = 'ConntrackAnchor';
const minRetryMs = 1000;
const maxRetryMs = 60_000;

export class AnchorKeeper {
  readonly #options: AnchorKeeperOptions;
  /** Of the tables that outlive the agent. */
  readonly #lasting: ToolCondition;
  /** Of those that cannot be flushed. */
  readonly #held: ToolCondition;
  #holder: LongRunning | undefined;
  readonly #abort = new AbortController();
  #setting: Promise<void> = Promise.resolve();
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = minRetryMs;

  constructor(options: AnchorKeeperOptions) {
    this.#options = options;
    this.#lasting = new ToolCondition({
      ...options,
      type,
      meaning:
        'Without the conntrack anchor, connections may stall for a moment when the mode changes or rules are flushed; it is tried again.',
    });
    this.#held = new ToolCondition({
      ...options,
      type,
      meaning: 'Connections may stall for a moment when all rules of the node are flushed; it is started again.',
    });
  }

  /** Resolves when the anchor is set, or could not be. To be called once. */
  async start(): Promise<void> {
    this.#holder = holdAnchor({
      onReady: () => this.#held.succeed(),
      onEnd: (why) => this.#held.fail(toolError('nft', why)),
    });
    this.restore();
    await this.#setting;
  }

  /** Sets it again: somebody may have flushed it. */
  restore(): void {
    clearTimeout(this.#timer);
    if (this.#isDue) return;
    this.#isDue = true;
    this.#setting = this.#setting.then(() => this.#set());
  }

  /** `ConntrackAnchor` where it could not be set, though the node needs it. */
  conditions(): readonly NodeConditionNow[] {
    if (!this.#options.isNeeded()) return [];
    return [...this.#lasting.conditions(), ...this.#held.conditions()].slice(0, 1);
  }

  /** Ends its programs; the anchor stays. */
  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await Promise.all([this.#setting, this.#holder?.stop()]);
  }

  async #set(): Promise<void> {
    this.#isDue = false;
    const { signal } = this.#abort;
    if (signal.aborted) return;
    try {
      await setAnchor(signal);
      this.#retryMs = minRetryMs;
      this.#lasting.succeed();
    } catch (error) {
      if (signal.aborted) return;
      this.#lasting.fail(
        error instanceof SyncError ? error : new SyncError('ToolFailed', 'nft could not be run', { cause: error }),
      );
      this.#retryLater();
    }
  }

  #retryLater(): void {
    this.#timer = setTimeout(() => (this.#options.isNeeded() ? this.restore() : this.#retryLater()), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs);
  }
}
