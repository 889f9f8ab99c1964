/**
 * Removes from the kernel what no longer serves, while the mode in force does: first its connections drain, then its
 * objects are deleted. Objects are found in the kernel each time, so it does not matter which agent, or which proxy,
 * made them.
 *
 * A proxy that still runs is let be: while one is seen, nothing is removed, and where what was removed comes back, one
 * runs that is not seen. The condition says so, until it is gone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { DrainRequest, Leftovers } from '../../backend/backend.ts';
import { SyncError } from '../../netfilter/errors.ts';
import type { Logger } from '../../observability/logger.ts';
import { removalCondition } from './removalCondition.ts';

/** All in ms. */
export interface RemovalTiming {
  /** Before the first step, for handshakes that were under way in the old mode. Default 3,000. */
  readonly settleMs: number;
  /** Between two steps while connections drain. Default 5,000. */
  readonly pollMs: number;
  /** After a step that failed, or that another proxy stood in the way of. Default 30,000. */
  readonly retryMs: number;
  /**
   * From the removal to the looks whether what was removed came back. Default 70,000, 600,000 and 4,200,000: kube-proxy
   * looks for its canary of iptables every 30 s (iptables.syncPeriod); in nftables mode it does not miss its table
   * before the next change or its hourly full sync.
   */
  readonly recheckMs: readonly number[];
}

/** Proxies beside this program. */
export interface OtherProxies {
  /** Where one is seen that runs on this node, in words for a condition; undefined where none is. Never throws. */
  readonly findRunning: () => Promise<string | undefined>;
  /** What one may have left in a mode that this program does not have. */
  readonly leftovers: readonly Leftovers[];
}

export interface RemovalOptions {
  readonly logger: Logger;
  /** `conditions` changed. */
  readonly onStatusChange: () => void;
  readonly findOtherProxy: OtherProxies['findRunning'];
  /** For tests. */
  readonly timing?: Partial<RemovalTiming>;
}

const defaultTiming: RemovalTiming = {
  settleMs: 3000,
  pollMs: 5000,
  retryMs: 30_000,
  recheckMs: [70_000, 600_000, 4_200_000],
};

/** What came of a step for one of the leftovers. */
interface Outcome {
  readonly isGone: boolean;
  readonly condition?: NodeConditionNow | undefined;
}

export class LeftoversRemoval {
  readonly #options: RemovalOptions;
  readonly #timing: RemovalTiming;
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #condition: NodeConditionNow | undefined;
  #remaining = 0;
  /** Names of what was removed, which a proxy that runs writes again. */
  #removedBefore = new Map<Leftovers, Set<string>>();

  constructor(options: RemovalOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
  }

  /** What is left of what no longer serves, and why; `OldModeRemoved` is False while there is anything. */
  get conditions(): readonly NodeConditionNow[] {
    return this.#condition === undefined ? [] : [this.#condition];
  }

  /** Whether nothing is left of what was given to `start`. */
  get isDone(): boolean {
    return this.#remaining === 0;
  }

  /** Removes all of these in the background, in place of those of an earlier call. */
  start(leftovers: readonly Leftovers[], migration: NodeConfig['migration']): void {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#remaining = leftovers.length;
    this.#running = this.#running.then(() => this.#run(leftovers, migration, abort.signal));
  }

  /** Resolves when the running step has ended. What is left in the kernel stays, and `isDone` as it is. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    this.#condition = undefined;
  }

  /** Ends when the last look at what was removed has found none of it again. */
  async #run(
    leftovers: readonly Leftovers[],
    { drainTimeoutSeconds }: NodeConfig['migration'],
    signal: AbortSignal,
  ): Promise<void> {
    const { settleMs, recheckMs } = this.#timing;
    const deadline = performance.now() + drainTimeoutSeconds * 1000;
    this.#removedBefore = new Map();
    let due = leftovers;
    let waitMs = drainTimeoutSeconds === 0 ? 0 : settleMs;
    const rechecks = [...recheckMs];
    while (due.length > 0) {
      const untilDeadline = deadline - performance.now();
      await sleep(untilDeadline > 0 ? Math.min(waitMs, untilDeadline) : waitMs, undefined, { signal }).catch(
        () => undefined,
      );
      if (signal.aborted) return;
      const drains = performance.now() < deadline;
      ({ due, waitMs } = await this.#step(due, { drains, signal }, drainTimeoutSeconds));
      if (signal.aborted) return;
      this.#remaining = due.length;
      if (due.length > 0 || rechecks.length === 0) continue;
      due = [...this.#removedBefore.keys()];
      waitMs = rechecks.shift() ?? 0;
    }
  }

  /** One after the other: both families of ipvs mode share the device kube-ipvs0. */
  async #step(
    leftovers: readonly Leftovers[],
    request: Pick<DrainRequest, 'drains' | 'signal'>,
    limitSeconds: number,
  ): Promise<{ due: readonly Leftovers[]; waitMs: number }> {
    const due: Leftovers[] = [];
    let condition: NodeConditionNow | undefined;
    const otherProxy = await this.#options.findOtherProxy();
    for (const each of leftovers) {
      const outcome =
        otherProxy === undefined
          ? await this.#drainAndRemove(each, request, limitSeconds)
          : await this.#lookAt(each, request, otherProxy);
      if (!outcome.isGone) due.push(each);
      condition ??= outcome.condition;
    }
    if (!request.signal.aborted) this.#setCondition(condition);
    const isDraining = condition?.reason === 'Draining';
    return { due, waitMs: isDraining ? this.#timing.pollMs : this.#timing.retryMs };
  }

  async #drainAndRemove(
    leftovers: Leftovers,
    request: Pick<DrainRequest, 'drains' | 'signal'>,
    limitSeconds: number,
  ): Promise<Outcome> {
    const { of, family } = leftovers;
    try {
      const { removed, draining } = await leftovers.remove({ ...request, keepsShared: true });
      const isBack = this.#remember(leftovers, removed);
      if (removed.length > 0)
        this.#options.logger.info('removed what no longer serves', {
          of,
          family,
          objects: removed.length,
          first: removed.slice(0, 10),
        });
      if (draining > 0) return { isGone: false, condition: drainingCondition(of, limitSeconds) };
      return { isGone: !isBack, condition: isBack ? otherProxyCondition(removed) : undefined };
    } catch (error) {
      return this.#failed(leftovers, error, request.signal);
    }
  }

  /** Whether some of it had been removed before. */
  #remember(leftovers: Leftovers, removed: readonly string[]): boolean {
    if (removed.length === 0) return false;
    const before = this.#removedBefore.get(leftovers) ?? new Set();
    const isBack = removed.some((name) => before.has(name));
    this.#removedBefore.set(leftovers, new Set([...before, ...removed]));
    return isBack;
  }

  async #lookAt(
    leftovers: Leftovers,
    request: Pick<DrainRequest, 'drains' | 'signal'>,
    otherProxy: string,
  ): Promise<Outcome> {
    try {
      const { removed } = await leftovers.remove({ ...request, keepsShared: true, isDryRun: true });
      return { isGone: false, condition: removed.length > 0 ? otherProxyCondition(removed, otherProxy) : undefined };
    } catch (error) {
      return this.#failed(leftovers, error, request.signal);
    }
  }

  #failed({ of, family }: Leftovers, error: unknown, signal: AbortSignal): Outcome {
    if (signal.aborted) return { isGone: true };
    this.#options.logger.warn('what no longer serves could not be removed', { of, family, error });
    const why = error instanceof SyncError ? error.message : 'the agent log says why';
    const message = `What ${of} left could not be removed, and is tried again: ${why}`;
    return { isGone: false, condition: removalCondition('RemovalFailed', message) };
  }

  #setCondition(condition: NodeConditionNow | undefined): void {
    const hasChanged = condition?.message !== this.#condition?.message;
    this.#condition = condition;
    if (hasChanged) this.#options.onStatusChange();
  }
}

function drainingCondition(of: string, limitSeconds: number): NodeConditionNow {
  return removalCondition(
    'Draining',
    `Connections made in ${of} go on; what they need goes when they end, ${limitSeconds} s after the change at the latest.`,
  );
}

/** Without `seen`, the objects came back after they had been removed. */
function otherProxyCondition(objects: readonly string[], seen?: string): NodeConditionNow {
  const what = `what it made (objects: ${objects.length}, such as ${objects[0]})`;
  return removalCondition(
    'OtherProxyRuns',
    seen === undefined
      ? `Another proxy runs on this node: ${what} came back after it had been removed. Stop it, and that goes.`
      : `Another proxy runs on this node (${seen}), and ${what} stands beside ours. Stop it, and that goes.`,
  );
}
