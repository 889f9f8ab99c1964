/**
 * Takes the modes that serve no longer out of the kernel, beside the one that does: connections drain, then the objects
 * go. What is there is found in the kernel each time, so it does not matter which agent, or which proxy, left it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConditionNow } from '../api/conditions.ts';
import type { NodeConfig, ProxyMode } from '../api/nodeConfig.ts';
import type { Backend } from '../backend/backend.ts';
import { SyncError } from '../netfilter/errors.ts';
import type { IPFamily } from '../model/ipFamily.ts';
import type { Logger } from '../observability/logger.ts';

/** A mode that does not serve, in one family. */
export interface OtherMode {
  readonly mode: ProxyMode;
  readonly family: IPFamily;
  readonly backend: Backend;
}

export interface RemovalTiming {
  /** How long what began to connect in the old mode may take for it. */
  readonly settleMs: number;
  /** Between two looks at connections that drain. */
  readonly pollMs: number;
  readonly retryMs: number;
}

export interface RemovalOptions {
  readonly logger: Logger;
  /** Something that a report may have to say is different now. */
  readonly onStatusChange: () => void;
  readonly timing?: Partial<RemovalTiming>;
}

const defaultTiming: RemovalTiming = { settleMs: 3000, pollMs: 5000, retryMs: 30_000 };

export class OtherModesRemoval {
  readonly #options: RemovalOptions;
  readonly #timing: RemovalTiming;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #condition: ConditionNow | undefined;
  #left = 0;

  constructor(options: RemovalOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
  }

  /** What is left of a mode that serves no longer, and why. */
  get conditions(): readonly ConditionNow[] {
    return this.#condition === undefined ? [] : [this.#condition];
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  /** In place of one that runs. */
  start(old: readonly OtherMode[], migration: NodeConfig['migration']): void {
    this.#stop.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.#left = old.length;
    this.#running = this.#running.then(() => this.#run(old, migration, stop.signal));
  }

  /** A step that runs ends first. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#condition = undefined;
  }

  async #run(
    old: readonly OtherMode[],
    { drainTimeoutSeconds }: NodeConfig['migration'],
    signal: AbortSignal,
  ): Promise<void> {
    const { settleMs } = this.#timing;
    const deadline = performance.now() + drainTimeoutSeconds * 1000;
    let left = old;
    let waitMs = drainTimeoutSeconds === 0 ? 0 : settleMs;
    while (left.length > 0) {
      const untilDeadline = deadline - performance.now();
      await sleep(untilDeadline > 0 ? Math.min(waitMs, untilDeadline) : waitMs, undefined, { signal }).catch(
        () => undefined,
      );
      if (signal.aborted) return;
      const drains = performance.now() < deadline;
      ({ left, waitMs } = await this.#step(left, { drains, signal }, drainTimeoutSeconds));
      if (signal.aborted) return;
      this.#left = left.length;
    }
  }

  /** One after the other: families share a device. */
  async #step(
    old: readonly OtherMode[],
    request: { drains: boolean; signal: AbortSignal },
    limitSeconds: number,
  ): Promise<{ left: readonly OtherMode[]; waitMs: number }> {
    const left: OtherMode[] = [];
    let condition: ConditionNow | undefined;
    for (const each of old) {
      const problem = await this.#drainAndRemove(each, request, limitSeconds);
      if (problem !== undefined) left.push(each);
      condition ??= problem;
    }
    this.#say(condition);
    return { left, waitMs: condition?.reason === 'RemovalFailed' ? this.#timing.retryMs : this.#timing.pollMs };
  }

  async #drainAndRemove(
    { mode, family, backend }: OtherMode,
    request: { drains: boolean; signal: AbortSignal },
    limitSeconds: number,
  ): Promise<ConditionNow | undefined> {
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

  #say(condition: ConditionNow | undefined): void {
    const hasChanged = condition?.message !== this.#condition?.message;
    this.#condition = condition;
    if (hasChanged) this.#options.onStatusChange();
  }
}

function removalCondition(reason: string, message: string): ConditionNow {
  return { type: 'OldModeRemoved', status: 'False', reason, message: message.slice(0, 256) };
}
