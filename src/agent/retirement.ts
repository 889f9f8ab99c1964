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
export interface OldMode {
  readonly mode: ProxyMode;
  readonly family: IPFamily;
  readonly backend: Backend;
}

export interface RetirementTiming {
  /** How long what began to connect in the old mode may take for it. */
  readonly settleMs: number;
  /** Between two looks at connections that drain. */
  readonly lookMs: number;
  readonly retryMs: number;
}

export interface RetirementOptions {
  readonly logger: Logger;
  /** Something that a report may have to say is different now. */
  readonly onNews: () => void;
  readonly timing?: Partial<RetirementTiming>;
}

const usualTiming: RetirementTiming = { settleMs: 3000, lookMs: 5000, retryMs: 30_000 };

export class Retirement {
  readonly #options: RetirementOptions;
  readonly #timing: RetirementTiming;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #remark: ConditionNow | undefined;
  #left = 0;

  constructor(options: RetirementOptions) {
    this.#options = options;
    this.#timing = { ...usualTiming, ...options.timing };
  }

  /** What is left of a mode that serves no longer, and why. */
  get remarks(): readonly ConditionNow[] {
    return this.#remark === undefined ? [] : [this.#remark];
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  /** In place of one that runs. */
  start(old: readonly OldMode[], migration: NodeConfig['migration']): void {
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
    this.#remark = undefined;
  }

  async #run(
    old: readonly OldMode[],
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
    old: readonly OldMode[],
    request: { drains: boolean; signal: AbortSignal },
    limitSeconds: number,
  ): Promise<{ left: readonly OldMode[]; waitMs: number }> {
    const left: OldMode[] = [];
    let remark: ConditionNow | undefined;
    for (const each of old) {
      const problem = await this.#retire(each, request, limitSeconds);
      if (problem !== undefined) left.push(each);
      remark ??= problem;
    }
    this.#say(remark);
    return { left, waitMs: remark?.reason === 'RemovalFailed' ? this.#timing.retryMs : this.#timing.lookMs };
  }

  async #retire(
    { mode, family, backend }: OldMode,
    request: { drains: boolean; signal: AbortSignal },
    limitSeconds: number,
  ): Promise<ConditionNow | undefined> {
    const { logger } = this.#options;
    try {
      const { removed, draining } = (await backend.retire?.(request)) ?? { removed: [], draining: 0 };
      if (removed.length > 0)
        logger.info('removed what another mode had left', {
          mode,
          family,
          objects: removed.length,
          first: removed.slice(0, 10),
        });
      return draining === 0
        ? undefined
        : condition(
            'Draining',
            `Connections made in mode ${mode} go on; what they need goes when they end, ${limitSeconds} s after the change at the latest.`,
          );
    } catch (error) {
      if (request.signal.aborted) return undefined;
      logger.warn('what another mode left could not be removed', { mode, family, error });
      return condition(
        'RemovalFailed',
        `What mode ${mode} left could not be removed, and is tried again: ${error instanceof SyncError ? error.message : 'the agent log says why'}`,
      );
    }
  }

  #say(remark: ConditionNow | undefined): void {
    const isNews = remark?.message !== this.#remark?.message;
    this.#remark = remark;
    if (isNews) this.#options.onNews();
  }
}

function condition(reason: string, message: string): ConditionNow {
  return { type: 'OldModeRemoved', status: 'False', reason, message: message.slice(0, 256) };
}
