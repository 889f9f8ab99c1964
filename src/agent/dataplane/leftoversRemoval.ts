/**
 * Removes the modes that no longer serve from the kernel, while another mode serves: first their connections drain,
 * then their objects are deleted. Each backend finds its objects in the kernel each time, so it does not matter which
 * agent, or which proxy, made them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { NodeConfig, ProxyMode } from '../../api/nodeConfig.ts';
import type { Backend } from '../../backend/backend.ts';
import { SyncError } from '../../netfilter/errors.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { Logger } from '../../observability/logger.ts';

/** A mode that does not serve, in one family. */
export interface OtherMode {
  readonly mode: ProxyMode;
  readonly family: IPFamily;
  readonly backend: Backend;
}

/** All in ms. */
export interface RemovalTiming {
  /** Before the first step, for handshakes that were under way in the old mode. Default 3,000. */
  readonly settleMs: number;
  /** Between two steps while connections drain. Default 5,000. */
  readonly pollMs: number;
  /** After a step that failed. Default 30,000. */
  readonly retryMs: number;
}

export interface RemovalOptions {
  readonly logger: Logger;
  /** `conditions` changed. */
  readonly onStatusChange: () => void;
  /** For tests. */
  readonly timing?: Partial<RemovalTiming>;
}

const defaultTiming: RemovalTiming = { settleMs: 3000, pollMs: 5000, retryMs: 30_000 };

export class LeftoversRemoval {
  readonly #options: RemovalOptions;
  readonly #timing: RemovalTiming;
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #condition: NodeConditionNow | undefined;
  #remaining = 0;

  constructor(options: RemovalOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
  }

  /** What is left of modes that no longer serve, and why; `OldModeRemoved` is False while there is anything. */
  get conditions(): readonly NodeConditionNow[] {
    return this.#condition === undefined ? [] : [this.#condition];
  }

  /** Whether nothing is left of the modes given to `start`. */
  get isDone(): boolean {
    return this.#remaining === 0;
  }

  /** Removes these modes in the background, in place of those of an earlier call. */
  start(modes: readonly OtherMode[], migration: NodeConfig['migration']): void {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#remaining = modes.length;
    this.#running = this.#running.then(() => this.#run(modes, migration, abort.signal));
  }

  /** Resolves when the running step has ended. What is left in the kernel stays, and `isDone` as it is. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    this.#condition = undefined;
  }

  async #run(
    modes: readonly OtherMode[],
    { drainTimeoutSeconds }: NodeConfig['migration'],
    signal: AbortSignal,
  ): Promise<void> {
    const { settleMs } = this.#timing;
    const deadline = performance.now() + drainTimeoutSeconds * 1000;
    let remaining = modes;
    let waitMs = drainTimeoutSeconds === 0 ? 0 : settleMs;
    while (remaining.length > 0) {
      const untilDeadline = deadline - performance.now();
      await sleep(untilDeadline > 0 ? Math.min(waitMs, untilDeadline) : waitMs, undefined, { signal }).catch(
        () => undefined,
      );
      if (signal.aborted) return;
      const drains = performance.now() < deadline;
      ({ remaining, waitMs } = await this.#step(remaining, { drains, signal }, drainTimeoutSeconds));
      if (signal.aborted) return;
      this.#remaining = remaining.length;
    }
  }

  /** One backend after the other: both families of ipvs mode share the device kube-ipvs0. */
  async #step(
    modes: readonly OtherMode[],
    request: { drains: boolean; signal: AbortSignal },
    limitSeconds: number,
  ): Promise<{ remaining: readonly OtherMode[]; waitMs: number }> {
    const remaining: OtherMode[] = [];
    let condition: NodeConditionNow | undefined;
    for (const each of modes) {
      const leftover = await this.#drainAndRemove(each, request, limitSeconds);
      if (leftover !== undefined) remaining.push(each);
      condition ??= leftover;
    }
    this.#setCondition(condition);
    return { remaining, waitMs: condition?.reason === 'RemovalFailed' ? this.#timing.retryMs : this.#timing.pollMs };
  }

  async #drainAndRemove(
    { mode, family, backend }: OtherMode,
    request: { drains: boolean; signal: AbortSignal },
    limitSeconds: number,
  ): Promise<NodeConditionNow | undefined> {
    const { logger } = this.#options;
    try {
      const { removed, draining } = (await backend.drainAndRemove?.(request)) ?? { removed: [], draining: 0 };
      if (removed.length > 0)
        logger.info('removed what another mode had left', {
          mode,
          family,
          objects: removed.length,
          first: removed.slice(0, 10),
        });
      return draining === 0
        ? undefined
        : removalCondition(
            'Draining',
            `Connections made in mode ${mode} go on; what they need goes when they end, ${limitSeconds} s after the change at the latest.`,
          );
    } catch (error) {
      if (request.signal.aborted) return undefined;
      logger.warn('what another mode left could not be removed', { mode, family, error });
      return removalCondition(
        'RemovalFailed',
        `What mode ${mode} left could not be removed, and is tried again: ${error instanceof SyncError ? error.message : 'the agent log says why'}`,
      );
    }
  }

  #setCondition(condition: NodeConditionNow | undefined): void {
    const hasChanged = condition?.message !== this.#condition?.message;
    this.#condition = condition;
    if (hasChanged) this.#options.onStatusChange();
  }
}

function removalCondition(reason: string, message: string): NodeConditionNow {
  return { type: 'OldModeRemoved', status: 'False', reason, message };
}
